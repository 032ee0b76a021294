// SPDX-License-Identifier: Apache-2.0
// For drivers of databases that speak SQL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "freehold/database/transaction.h"

namespace freehold::internal {

// The reading transactions of one reading connection: a snapshot each.
template <class Connection, class BooksThere, sql::Dialect spoken>
class ReadTransaction final : public SqlTransaction {
 public:
  explicit ReadTransaction(Connection& connection)
      : SqlTransaction(Access::read), connection_(connection), books_(*this) {}

  Books& books() override { return books_; }
  sql::Dialect dialect() const override { return spoken; }
  SqlStatement& statement(std::string_view text) override { return connection_.statement(text); }
  SqlStatement& statement_by_key(std::string_view text) override {
    if constexpr (has_foresight)
      return connection_.statement(text, sql::Reach::key);
    else
      return connection_.statement(text);
  }
  void run_script(std::string_view script) override { connection_.run_script(script); }
  void look_ahead(std::size_t bodies, const std::function<void(std::size_t)>& run) override {
    if constexpr (has_foresight) connection_.foresight().look_ahead(bodies, run);
  }
  bool is_looked_at() const override {
    if constexpr (has_foresight) return connection_.foresight().is_looking();
    return false;
  }

 protected:
  SqlStatement& prepared(const sql::Text& text) override { return connection_.prepared(text); }
  std::int64_t writes() const override { return 0; }
  int open_savepoint() override { return 0; }
  void release_savepoint(int) override {}
  void undo_to_savepoint(int) override {}

 private:
  static constexpr bool has_foresight = requires(Connection& there) { there.foresight(); };

  Connection& connection_;
  BooksThere books_;
};

}  // namespace freehold::internal
