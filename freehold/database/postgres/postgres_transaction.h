// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "freehold/database/lane.h"
#include "freehold/database/postgres/postgres_books.h"
#include "freehold/database/postgres/postgres_link.h"

namespace freehold {

// The writing transactions of one lane, one after the other, READ COMMITTED, on the connection that
// there is. With COMMIT leaves a marker, freehold_commit (lane, batch): a lane is drawn at random
// when a process opens its database, and counts its batches.
class PostgresLaneTransaction final : public LaneTransaction {
 public:
  PostgresLaneTransaction(PostgresLink& link, PostgresStatistics& statistics);

  Books& books() override { return books_; }
  sql::Dialect dialect() const override { return sql::Dialect::postgres; }
  SqlStatement& statement(std::string_view text) override;
  SqlStatement& statement_by_key(std::string_view text) override;
  void run_script(std::string_view script) override;
  void look_ahead(std::size_t bodies, const std::function<void(std::size_t)>& run) override;
  bool is_looked_at() const override;

  void begin(Savepoints savepoints) override;
  bool has_rivals() const override { return true; }
  void lock(const RowLocks& locks) override;
  bool is_open() const override;
  void end_bodies() override;
  void commit() override;
  Settled settle() override;
  bool can_run_again() const override {
    return link_.is_lost() || current().lost_a_race() || has_freed_locks_;
  }
  bool lost_a_race() const override { return !link_.is_lost() && current().lost_a_race(); }
  void roll_back() override;

 protected:
  SqlStatement& prepared(const sql::Text& text) override;
  std::int64_t writes() const override { return current().writes(); }
  int open_savepoint() override;
  void release_savepoint(int depth) override;
  void undo_to_savepoint(int depth) override;

 private:
  PostgresConnection& current() const;
  void send_marker();
  bool found_committed();
  bool frees_locks();

  PostgresLink& link_;
  PostgresStatistics& statistics_;
  PostgresBooks books_;
  const std::int64_t lane_;
  std::int64_t batch_ = 0;
  std::int64_t writes_at_begin_ = 0;
  bool is_inside_ = false;
  bool has_freed_locks_ = false;  // that the last transaction waited for
  Savepoints savepoints_ = Savepoints::none;
  int depth_ = 0;
};

}  // namespace freehold
