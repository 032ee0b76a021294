// SPDX-License-Identifier: Apache-2.0
//
// The order service: a parts list.
#include "freehold/service/service.h"
#include "shop/order/browse_orders.h"
#include "shop/order/cancel_order.h"
#include "shop/order/follow_order.h"
#include "shop/order/forget_customer.h"
#include "shop/order/place_order.h"
#include "shop/order/reconcile_reservations.h"
#include "shop/order/store/migrations.h"
#include "shop/order/store/product_replica.h"

int main(int argc, char** argv) {
  freehold::Service service{"order", argc, argv};
  freehold::Database& database = service.database(order::migrations());

  const order::ProductsAtHand products{order::product_replica, database};
  order::OrderPlacing placing{database, service.sagas(), products, service.peer("product")};
  order::OrderCancelling cancelling{database};
  order::OrderBrowsing browsing{database};
  order::OrderFollowing following{database};

  service.believes_tokens_of("user", "shop");
  service.copy(products);
  service.consume(order::forgetting_customers());
  service.runs(order::place_order);
  service.runs(order::cancel_order);
  service.reconciles(order::reservations_at_product());
  placing.routes(service.routes());
  cancelling.routes(service.routes());
  browsing.routes(service.routes());
  following.routes(service.routes());
  return service.run();
}
