// SPDX-License-Identifier: Apache-2.0
//
// The rows of one order, as the shop writes them: the same tables, keys and lengths, in the same
// four commits. bench/run compares their number and size with the shop's own after each
// measurement; who changes what an order writes changes it here too.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "bench/bare_database.h"
#include "freehold/base/clock.h"
#include "freehold/base/id.h"

namespace bench {

// An order of one unit of one product, on its way through the four commits.
struct BareOrder {
  freehold::IdBytes id{};
  std::string id_text;
  std::size_t product = 0;  // its number
  freehold::Deadline begun{};
};

freehold::IdBytes product_id(std::size_t number);

// What the order service writes. For one thread, inside a transaction of `database`.
class OrderRows {
 public:
  explicit OrderRows(const std::filesystem::path& directory);

  BareDatabase& database() { return database_; }
  void accept(const BareOrder& order);   // commit 1
  void confirm(const BareOrder& order);  // commit 3

 private:
  BareDatabase database_;
  BareStatement insert_order_;
  BareStatement insert_saga_;
  BareStatement insert_answer_;
  BareStatement confirm_order_;
  BareStatement end_saga_;
  std::int64_t newest_answer_ = 0;
};

// What the product service writes.
class ProductRows {
 public:
  // With so many products in stock.
  ProductRows(const std::filesystem::path& directory, std::size_t products);

  BareDatabase& database() { return database_; }
  void reserve(const BareOrder& order);  // commit 2
  void sell(const BareOrder& order);     // commit 4

 private:
  BareDatabase database_;
  BareStatement reserve_units_;
  BareStatement insert_reservation_;
  BareStatement sell_units_;
  BareStatement set_reservation_;
};

}  // namespace bench
