// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "freehold/database/postgres/postgres_statement.h"
#include "freehold/database/sql_books.h"

namespace freehold {

// The books on a server. They differ from those of other SQL databases in how a batch is sealed:
// without a wait. The heads are moved first, each by as many positions as its partition gets, and
// what the statements behind them write takes its positions from there. All of it leaves in one
// message with COMMIT, so no client can hold the heads' locks while it thinks, or is stopped.
class PostgresBooks final : public SqlBooks {
 public:
  // `transaction`, whose statements are PostgresStatements, must outlive the books.
  explicit PostgresBooks(SqlTransaction& transaction)
      : SqlBooks(transaction), transaction_(transaction) {}

  void seal(std::span<const NewEvent> events) override;
  std::vector<StoredEvent> sealed() override;

 private:
  PostgresStatement& statement(std::string_view text);
  void move_heads(std::uint32_t partitions);
  void insert_events(std::span<const NewEvent> events);
  void keep_states(std::span<const NewEvent> events);

  SqlTransaction& transaction_;
  std::vector<std::uint32_t> partition_of_;  // of each event of the batch
  std::vector<std::int64_t> rank_of_;        // of each in its partition, from the last, which is 0
  std::vector<StoredEvent> events_;          // as they will be, but for their positions
  PostgresStatement* heads_ = nullptr;       // whose rows, after the commit, are the new heads
};

}  // namespace freehold
