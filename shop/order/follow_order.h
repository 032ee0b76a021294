// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "freehold/database/database.h"
#include "freehold/http/routes.h"
#include "shop/order/browse_orders.h"

namespace order {

// Waits until the order, which was pending, has reached a final state, at most until `until`, and
// returns it as it is then. Woken by the commit that changes it, which mostly tells enough: `watch`
// is of this order, begun before it was placed.
freehold::Task<freehold::Result<Order>> until_final(freehold::Database* database, Order order,
                                                    freehold::Watches::Watch watch,
                                                    freehold::Deadline until);

// Server-sent events of one order: its state first, then each change. An event's id is its index
// in the history, so that a client that comes back with Last-Event-ID goes on from there.
class OrderFollowing {
 public:
  explicit OrderFollowing(freehold::Database& database) : database_(database) {}
  void routes(freehold::http::Routes& routes);

 private:
  freehold::Task<freehold::Result<freehold::http::EventStream>> follow(GetOrder request,
                                                                       freehold::http::Call call);

  freehold::Database& database_;
};

}  // namespace order
