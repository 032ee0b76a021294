// SPDX-License-Identifier: Apache-2.0
//
// The rows of one order, as the shop writes them: the same tables, keys and lengths, in the same
// four commits; here in SQLite, in postgres_rows.h on PostgreSQL. bench/run compares their number
// and size with the shop's own after each measurement; who changes what an order writes changes it
// here too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

#include "bench/bare_database.h"
#include "bench/order_texts.h"

namespace bench {

using Orders = std::vector<BareOrder>;

// What one service writes in one commit: of orders that were begun and come back, and of new ones.
// For one thread.
class Rows {
 public:
  Rows() = default;
  Rows(const Rows&) = delete;
  Rows& operator=(const Rows&) = delete;
  virtual ~Rows() = default;
  virtual void write(const Orders& begun, const Orders& wanted) = 0;
};

// The order service confirms those that were begun (commit 3), and accepts (commit 1).
class OrderRows final : public Rows {
 public:
  explicit OrderRows(const std::filesystem::path& directory);
  void write(const Orders& confirmed, const Orders& accepted) override;

 private:
  void accept(const BareOrder& order);
  void confirm(const BareOrder& order);

  BareDatabase database_;
  BareStatement insert_order_;
  BareStatement insert_saga_;
  BareStatement insert_answer_;
  BareStatement confirm_order_;
  BareStatement end_saga_;
  std::int64_t newest_answer_ = 0;
};

// The product service sells what was begun (commit 4), and reserves (commit 2).
class ProductRows final : public Rows {
 public:
  // With so many products in stock.
  ProductRows(const std::filesystem::path& directory, std::size_t products);
  void write(const Orders& sold, const Orders& reserved) override;

 private:
  void reserve(const BareOrder& order);
  void sell(const BareOrder& order);

  BareDatabase database_;
  BareStatement reserve_units_;
  BareStatement insert_reservation_;
  BareStatement sell_units_;
  BareStatement set_reservation_;
};

}  // namespace bench
