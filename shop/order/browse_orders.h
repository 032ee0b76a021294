// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <vector>

#include "freehold/database/database.h"
#include "freehold/http/routes.h"
#include "shop/order/store/orders.h"

namespace order {

struct GetOrder {
  OrderId id;
};
BOOST_DESCRIBE_STRUCT(GetOrder, (), (id))

struct ListOrders {
  std::optional<int> limit;      // 1 to 100; 20; a page of long orders may hold fewer
  std::optional<OrderId> after;  // the `next` of the page before
};
BOOST_DESCRIBE_STRUCT(ListOrders, (), (limit, after))

struct OrderPage {
  std::vector<Order> items;          // newest first
  freehold::Nullable<OrderId> next;  // null: this is the last page
};
BOOST_DESCRIBE_STRUCT(OrderPage, (), (items, next))

// The order, if the caller may see it: its owner and administrators may. Refused: unknown_order,
// also for an order of somebody else.
freehold::Result<Order> visible(freehold::SqlTransaction& transaction, OrderId id,
                                const freehold::http::Caller& caller);

// What customers see of their orders, and administrators of all.
class OrderBrowsing {
 public:
  explicit OrderBrowsing(freehold::Database& database) : database_(database) {}
  void routes(freehold::http::Routes& routes);

 private:
  freehold::Task<freehold::Result<Order>> get(GetOrder request, freehold::http::Call call);
  freehold::Task<freehold::Result<OrderPage>> list(ListOrders request, freehold::http::Call call);

  freehold::Database& database_;
};

}  // namespace order
