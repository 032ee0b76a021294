// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/database/database.h"
#include "freehold/http/routes.h"
#include "freehold/saga/saga.h"
#include "shop/order/store/orders.h"

namespace order {

struct CancelOrder {
  OrderId id;
};
BOOST_DESCRIBE_STRUCT(CancelOrder, (), (id))

// Gives a confirmed order's stock back and marks it cancelled. One for each order.
using Return = freehold::SagaContext<product::ReleaseStock>;
freehold::Saga give_back(Return saga, CancelOrder order);
inline constexpr freehold::SagaDefinition cancel_order{"cancel_order.v1", give_back};

// Takes cancellations. While the order is pending the wish is noted, and the placing saga's confirm
// step, which looks at it in its own transaction, gives the order up: whichever is first wins.
class OrderCancelling {
 public:
  explicit OrderCancelling(freehold::Database& database) : database_(database) {}
  void routes(freehold::http::Routes& routes);

 private:
  freehold::Task<freehold::Result<freehold::http::Reply<Order>>> cancel(CancelOrder request,
                                                                        freehold::http::Call call);

  freehold::Database& database_;
};

}  // namespace order
