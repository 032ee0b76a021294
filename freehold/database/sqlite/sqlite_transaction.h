// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

#include "freehold/database/lane.h"
#include "freehold/database/sql_books.h"
#include "freehold/database/sqlite/sqlite_checkpointer.h"
#include "freehold/database/sqlite/sqlite_connection.h"

namespace freehold {

// The writing transactions of a database, one after the other, on its one writing connection.
class SqliteLaneTransaction final : public LaneTransaction {
 public:
  SqliteLaneTransaction(SqliteConnection& connection, SqliteCheckpointer& checkpointer)
      : connection_(connection), checkpointer_(checkpointer), books_(*this) {}

  Books& books() override { return books_; }
  sql::Dialect dialect() const override { return sql::Dialect::sqlite; }
  SqlStatement& statement(std::string_view text) override { return connection_.statement(text); }
  void run_script(std::string_view script) override { connection_.run_script(script); }

  void begin(Savepoints savepoints) override;
  bool is_open() const override { return connection_.in_transaction(); }
  void commit() override;
  void roll_back() override;
  void rest() override { checkpointer_.rest(); }

 protected:
  SqlStatement& prepared(const sql::Text& text) override { return connection_.prepared(text); }
  std::int64_t writes() const override { return connection_.changes(); }
  int open_savepoint() override;
  void release_savepoint(int depth) override;
  void undo_to_savepoint(int depth) override;

 private:
  void command(std::string_view text);

  SqliteConnection& connection_;
  SqliteCheckpointer& checkpointer_;
  SqlBooks books_;
  Savepoints savepoints_ = Savepoints::none;
  int depth_ = 0;
};

}  // namespace freehold
