// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <vector>

#include "freehold/database/database.h"
#include "freehold/http/idempotent_call.h"
#include "freehold/http/peer.h"
#include "freehold/http/routes.h"
#include "freehold/saga/saga.h"
#include "freehold/saga/sagas.h"
#include "shop/order/domain/order.h"
#include "shop/order/store/product_replica.h"

namespace order {

struct PlaceOrder {
  std::vector<product::Line> lines;
  freehold::RawJson delivery_address;  // a text or an object
};
BOOST_DESCRIBE_STRUCT(PlaceOrder, (), (lines, delivery_address))

// What the placing saga knows of its order.
struct Placement {
  OrderId id;
  std::vector<product::Line> lines;
};
BOOST_DESCRIBE_STRUCT(Placement, (), (id, lines))

// pending → confirmed | rejected | cancelled.
using Checkout =
    freehold::SagaContext<product::ReserveStock, product::ReleaseStock, product::SellStock>;
freehold::Saga bring_to_its_end(Checkout saga, Placement order);
inline constexpr freehold::SagaDefinition place_order{"place_order.v1", bring_to_its_end};

// Takes orders: POST /api/orders.
class OrderPlacing {
 public:
  OrderPlacing(freehold::Database& database, const freehold::Sagas& sagas,
               const ProductsAtHand& products, freehold::http::Peer& product)
      : database_(database), sagas_(sagas), products_(products), product_(product) {}
  void routes(freehold::http::Routes& routes);

 private:
  using Answer = freehold::Result<freehold::http::Committed<Order>>;

  freehold::Task<Answer> place(PlaceOrder request, freehold::http::IdempotentCall call);
  freehold::Task<freehold::Result<std::vector<ProductRow>>> find_products(
      std::vector<product::Line> lines, freehold::Deadline deadline);

  freehold::Database& database_;
  const freehold::Sagas& sagas_;
  const ProductsAtHand& products_;
  freehold::http::Peer& product_;
};

}  // namespace order
