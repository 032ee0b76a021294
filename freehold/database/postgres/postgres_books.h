// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/database/postgres/postgres_statement.h"
#include "freehold/database/sql_books.h"

namespace freehold {

// The books on a server. They differ from those of other SQL databases in what several instances
// decide here, the answers of idempotent calls, and in how a batch is sealed: without a wait, in
// one statement that moves the heads, each by as many positions as its partition gets, and writes
// events and states with positions taken from there. COMMIT follows it at once, so no client holds
// the heads' locks while it thinks.
class PostgresBooks final : public SqlBooks {
 public:
  // `transaction`, whose statements are PostgresStatements, must outlive the books.
  explicit PostgresBooks(SqlTransaction& transaction)
      : SqlBooks(transaction), transaction_(transaction) {}

  void seal(std::span<const NewEvent> events) override;  // prepares it
  std::vector<StoredEvent> sealed() override;

  // Between two batches, and for their COMMIT: what was sealed last, and not sent.
  void forget_seal();
  bool has_seal() const { return seal_ != nullptr; }
  void send_seal();

  // postgres_answers.cc
  std::uint64_t remember_answer(const StoredAnswer& answer) override;
  std::vector<AnswerKey> answer_keys_after(std::uint64_t sequence,
                                           std::size_t answers_max) override;
  std::optional<StoredAnswer> answer(std::uint64_t sequence) override;
  std::size_t forget_answers(std::chrono::microseconds age, std::size_t answers_max) override;
  void hold_answers(std::span<AnswerHold* const> holds) override;
  void find_answer(AnswerHold& hold) override;

 private:
  std::vector<std::pair<std::size_t, std::int64_t>> find_answers(
      std::span<AnswerHold* const> holds, std::span<const std::string> names);
  PostgresStatement& statement(std::string_view text);
  PostgresStatement& statement_by_key(std::string_view text);
  void bind_heads(std::span<const std::int64_t> events_of);
  void bind_events(std::span<const NewEvent> events);
  void bind_states(std::span<const NewEvent> events, std::span<const std::size_t> states);

  SqlTransaction& transaction_;
  std::vector<std::uint32_t> partition_of_;  // of each event of the batch
  std::vector<std::int64_t> rank_of_;        // of each in its partition, from the last, which is 0
  std::vector<StoredEvent> events_;          // as they will be, but for their positions
  PostgresStatement* seal_ = nullptr;        // whose rows, after the commit, are the new heads
};

}  // namespace freehold
