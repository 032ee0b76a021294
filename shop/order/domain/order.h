// SPDX-License-Identifier: Apache-2.0
//
// An order and its rules; pure, without a database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/schema/json.h"
#include "freehold/schema/nullable.h"
#include "shop/money/money.h"
#include "shop/order/contract/order_contract.h"
#include "shop/product/contract/product_contract.h"
#include "shop/user/contract/user_contract.h"

namespace order {

inline constexpr std::size_t lines_max = 100;
inline constexpr int quantity_max = 1'000'000;
inline constexpr std::size_t address_bytes_max = 4'000;

// What this service knows of a product: its copy of the product service's state event.
struct ProductRow {
  product::ProductId id;
  std::string name;
  money::Money price;
  product::Sale sale = product::Sale::on_sale;
  std::int64_t version = 0;
};
BOOST_DESCRIBE_STRUCT(ProductRow, (), (id, name, price, sale, version))

// One line, with name and price as they were when the order was placed; `product_version` is the
// state of the product that they were taken from.
struct OrderLine {
  product::ProductId product_id;
  std::string name;
  int quantity = 0;
  std::int64_t unit_price_minor = 0;
  std::int64_t line_total_minor = 0;
  std::int64_t product_version = 0;
};
BOOST_DESCRIBE_STRUCT(OrderLine, (),
                      (product_id, name, quantity, unit_price_minor, line_total_minor,
                       product_version))

struct StatusChange {
  Status status = Status::pending;
  freehold::Time at{};
};
BOOST_DESCRIBE_STRUCT(StatusChange, (), (status, at))

// An order as its owner sees it.
struct Order {
  OrderId id;
  user::UserId customer_id;
  Status status = Status::pending;
  freehold::Nullable<std::string> reason;  // of a rejected order: an error's name; else null
  std::vector<OrderLine> lines;
  money::Money total;
  freehold::Time placed_at{};
  std::vector<StatusChange> history;
  std::optional<freehold::RawJson> delivery_address;  // personal: never in a stored answer
};
BOOST_DESCRIBE_STRUCT(Order, (),
                      (id, customer_id, status, reason, lines, total, placed_at, history,
                       delivery_address))

// How a pending order was settled; told to those who watch it.
struct Settlement {
  Status status = Status::confirmed;  // or rejected
  freehold::Nullable<std::string> reason;
  freehold::Time at{};
};

// The pending order as it is after that.
Order settled(Order order, const Settlement& settlement);

// A new pending order of these lines, those of one product merged, at the prices of `products`.
// Refused: malformed_order (naming the line), mixed_currencies, total_too_large,
// product::errors::unknown_product and product_withdrawn.
freehold::Result<Order> priced(user::UserId customer, const std::vector<product::Line>& lines,
                               const std::vector<ProductRow>& products);

// The lines, those of one product added together, in the order of their first mention. Refused:
// malformed_order, naming the line.
freehold::Result<std::vector<product::Line>> merged(const std::vector<product::Line>& lines);

// A delivery address is a text or an object of at most 4,000 bytes. Refused: malformed_order.
freehold::Result<> check_address(const freehold::RawJson& address);

inline bool is_final(Status status) {
  return status != Status::pending;
}

}  // namespace order
