// SPDX-License-Identifier: Apache-2.0
//
// The books of a database that speaks SQL. Their tables belong to the toolkit: a service's own
// migrations and statements leave the prefix `freehold_` alone. The grammar of the tables stands at
// the top of sql_books.cc.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/database/books.h"
#include "freehold/database/transaction.h"

namespace freehold {

// Creates the tables of the books that are absent, in the transaction given, and draws the log's
// identity once. A log keeps the partitions that it was created with, whatever is asked for later.
// `partitions` in [1, 100].
void create_books(SqlTransaction& transaction, std::uint32_t partitions);

// The books as statements of one connection's transactions. Made once for each connection; used on
// the thread that runs the transaction, and between its transactions by nobody. What it remembers
// from one transaction to the next stays true when one is undone: the log's identity, and a bound
// for the sequence of answers. Those are for a database that one instance has.
class SqlBooks : public Books {
 public:
  // `transaction` must outlive the books, and the books of a log must have been created.
  explicit SqlBooks(SqlTransaction& transaction) : sql_(transaction) {}

  // The log: sql_log.cc; what is read of it and cut from it: sql_retention.cc.
  LogIdentity log() override;
  Head head(std::uint32_t partition) override;
  void lock_head(std::uint32_t partition) override;
  // Crash points: log.after_append (before the heads), log.after_heads.
  void seal(std::span<const NewEvent> events) override;
  std::vector<StoredEvent> sealed() override { return std::exchange(sealed_, {}); }
  Standing standing_at(std::uint32_t partition, std::uint64_t position) override;
  std::vector<StoredEvent> events_after(std::uint32_t partition, std::uint64_t position,
                                        std::size_t events_max, std::size_t bytes_max) override;
  StateSum sum_of_states(std::string_view family) override;
  std::vector<SubjectState> states_after(std::string_view family, std::string_view subject,
                                         std::size_t events_max) override;
  std::size_t cut(std::uint32_t partition, std::uint64_t position, std::size_t events_max) override;
  std::uint64_t position_before(std::uint32_t partition, Time time) override;
  void note_reader(const ReaderRecord& reader) override;
  std::vector<ReaderRecord> readers() override;
  std::vector<ReaderRecord> lock_readers() override;
  void forget_reader(std::string_view service, std::string_view consumer) override;

  // Consumers: sql_consumers.cc, and their set-aside events: sql_aside.cc.
  std::optional<Cursor> cursor(std::string_view consumer, std::uint32_t partition) override;
  void begin_cursor(std::string_view consumer, std::uint32_t partition,
                    const Cursor& cursor) override;
  bool move_cursor(std::string_view consumer, const EventId& from, const EventId& to,
                   std::uint64_t epoch) override;
  void note_waypoint(std::string_view consumer, const EventId& id, Time at) override;
  std::vector<EventId> waypoints(std::string_view consumer, std::uint32_t partition) override;
  int tries(std::string_view consumer, const EventId& id) override;
  void note_try(std::string_view consumer, const EventId& id) override;
  void forget_tries(std::string_view consumer) override;
  void set_aside(const AsideEvent& event) override;
  std::vector<std::string> aside_keys(std::string_view consumer) override;
  std::vector<AsideEvent> aside_due(std::string_view consumer, Time now,
                                    std::size_t events_max) override;
  std::vector<AsideEvent> aside_of(std::string_view consumer, std::string_view key) override;
  std::vector<AsideEvent> aside_all(std::size_t events_max) override;
  bool update_aside(const AsideEvent& event) override;
  bool drop_aside(const AsideEvent& event) override;
  std::optional<Time> next_aside_try(std::string_view consumer) override;
  std::optional<std::uint64_t> take_lease(std::string_view name, std::string_view owner,
                                          std::chrono::microseconds length) override;
  std::uint64_t seize_lease(std::string_view name, std::string_view owner,
                            std::chrono::microseconds length) override;
  bool holds_lease(std::string_view name, std::uint64_t epoch) override;
  void release_lease(std::string_view name, std::uint64_t epoch) override;

  // Sagas: sql_sagas.cc.
  bool add_saga(const SagaRecord& saga) override;
  std::optional<SagaRecord> saga(std::string_view id) override;
  std::optional<SagaRecord> lock_saga(std::string_view id) override;
  void foresee_lock_saga(std::string_view id) override;
  void save_saga(const SagaRecord& saga) override;
  std::vector<SagaRecord> sagas(SagaStatus status, std::string_view after_id,
                                std::size_t sagas_max) override;
  std::int64_t count_sagas(SagaStatus status) override;
  std::int64_t count_sagas_ended(Time since) override;
  std::vector<std::string> due_sagas(Time now, std::size_t sagas_max) override;
  std::optional<Time> next_timer() override;
  void note_late(std::string_view saga, int step, std::string_view outcome) override;
  std::vector<LateOutcome> late_outcomes(std::string_view saga) override;
  std::size_t forget_sagas(Time ended_before, std::size_t sagas_max) override;

  // Answers of idempotent calls, and documents: sql_answers.cc.
  std::uint64_t remember_answer(const StoredAnswer& answer) override;
  std::vector<AnswerKey> answer_keys_after(std::uint64_t sequence,
                                           std::size_t answers_max) override;
  std::optional<StoredAnswer> answer(std::uint64_t sequence) override;
  std::size_t forget_answers(std::chrono::microseconds age, std::size_t answers_max) override;
  void hold_answers(std::span<AnswerHold* const> holds) override;
  void find_answer(AnswerHold& hold) override;
  std::optional<std::string> document(std::string_view name) override;
  void put_document(std::string_view name, std::string_view text) override;

 private:
  const LogIdentity& identity();
  // Keeps `event`, which has just been given its id, as its subject's latest state if it is newer.
  void keep_state(const NewEvent& event, const EventId& id);

  SqlTransaction& sql_;
  std::optional<LogIdentity> log_;
  std::vector<StoredEvent> sealed_;
  std::optional<std::int64_t> newest_answer_;
};

}  // namespace freehold
