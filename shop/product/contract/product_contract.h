// SPDX-License-Identifier: Apache-2.0
//
// What the product service promises to others: its types on the wire. All that another service may
// include of it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/id.h"
#include "freehold/base/result.h"
#include "freehold/schema/described.h"
#include "shop/money/money.h"

namespace product {

#define FREEHOLD_ERRORS "shop/product/contract/errors.def"
#define FREEHOLD_ERRORS_SERVICE "product"
#include "freehold/base/define_errors.h"

struct ProductId : freehold::Id<ProductId> {};
// The caller's name for one intent to buy; an order gives its own id.
struct ReservationId : freehold::Id<ReservationId> {};

enum class Sale { on_sale, withdrawn };
BOOST_DESCRIBE_ENUM(Sale, on_sale, withdrawn)

struct Line {
  ProductId product_id;
  int quantity = 0;
};
BOOST_DESCRIBE_STRUCT(Line, (), (product_id, quantity))

// Event: the whole public state of one product, stock apart. A replica may copy it; the log keeps
// the last one of every product for ever. Its version counts changes of these members.
struct ProductState {
  ProductId id;
  std::string sku;
  std::string name;
  std::string description;
  money::Money price;
  Sale sale = Sale::on_sale;
  std::int64_t version = 0;

  static constexpr std::string_view type = "product.state.v1";
  static constexpr auto subject = &ProductState::id;
};
BOOST_DESCRIBE_STRUCT(ProductState, (), (id, sku, name, description, price, sale, version))

// Command: reserve all lines or none. Refused: out_of_stock, product_withdrawn, unknown_product,
// malformed_quantity, reservation_released. Repeats have no effect and the same answer.
struct StockReserved {
  ReservationId reservation;
};
BOOST_DESCRIBE_STRUCT(StockReserved, (), (reservation))
struct ReserveStock {
  ReservationId reservation;
  std::vector<Line> lines;

  using Reply = StockReserved;
  static constexpr std::string_view type = "product.reserve_stock.v1";
  static constexpr auto subject = &ReserveStock::reservation;
};
BOOST_DESCRIBE_STRUCT(ReserveStock, (), (reservation, lines))

// Commands: what becomes of a reservation. Neither can be refused. Release gives back what is held
// or was sold; repeats have no effect. Reserve, sell and release of one reservation share its
// subject, so they arrive in the order in which they were sent.
struct StockReleased {
  ReservationId reservation;
  bool anything_held = false;
};
BOOST_DESCRIBE_STRUCT(StockReleased, (), (reservation, anything_held))
struct ReleaseStock {
  ReservationId reservation;

  using Reply = StockReleased;
  static constexpr std::string_view type = "product.release_stock.v1";
  static constexpr auto subject = &ReleaseStock::reservation;
};
BOOST_DESCRIBE_STRUCT(ReleaseStock, (), (reservation))

struct StockSold {
  ReservationId reservation;
};
BOOST_DESCRIBE_STRUCT(StockSold, (), (reservation))
struct SellStock {
  ReservationId reservation;

  using Reply = StockSold;
  static constexpr std::string_view type = "product.sell_stock.v1";
  static constexpr auto subject = &SellStock::reservation;
};
BOOST_DESCRIBE_STRUCT(SellStock, (), (reservation))

}  // namespace product
