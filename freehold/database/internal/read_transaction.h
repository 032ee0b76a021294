// SPDX-License-Identifier: Apache-2.0
// For drivers of databases that speak SQL.
#pragma once

#include <cstdint>
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
  void run_script(std::string_view script) override { connection_.run_script(script); }

 protected:
  SqlStatement& prepared(const sql::Text& text) override { return connection_.prepared(text); }
  std::int64_t writes() const override { return 0; }
  int open_savepoint() override { return 0; }
  void release_savepoint(int) override {}
  void undo_to_savepoint(int) override {}

 private:
  Connection& connection_;
  BooksThere books_;
};

}  // namespace freehold::internal
