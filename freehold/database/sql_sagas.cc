// SPDX-License-Identifier: Apache-2.0
//
// Sagas, their journals and timers. The first outcome of a step wins, by an update that only a
// waiting step takes; what comes later is kept beside and changes nothing.

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/database/internal/columns.h"
#include "freehold/database/sql_books.h"

namespace freehold {

BOOST_DESCRIBE_STRUCT(SagaRecord, (), (id, type, input, status, why, started))
BOOST_DESCRIBE_STRUCT(DueTimer, (), (due, saga, step))

namespace {

struct StepRow {
  int step;
  std::string name;
  std::int64_t request_hash;
  StepState state;
  std::string outcome;
  Time due;
};
BOOST_DESCRIBE_STRUCT(StepRow, (), (step, name, request_hash, state, outcome, due))

struct LateRow {
  int step;
  std::string outcome;
};
BOOST_DESCRIBE_STRUCT(LateRow, (), (step, outcome))

constexpr sql::Change<void(std::string_view, std::string_view, std::string_view, SagaStatus,
                           std::string_view, Time)>
    insert_saga{
        "insert into freehold_saga (id, type, input, status, why, started, ended) "
        "values ($1, $2, $3, $4, $5, $6, 0) on conflict do nothing"};
constexpr sql::Query<SagaRecord(std::string_view)> saga_of{
    "select id, type, input, status, why, started from freehold_saga where id = $1"};
constexpr sql::Query<SagaRecord(SagaStatus, std::string_view, std::int64_t)> live_sagas{
    "select id, type, input, status, why, started from freehold_saga "
    "where status = $1 and ended = 0 and id > $2 order by id limit $3"};
constexpr sql::Query<SagaRecord(SagaStatus, std::string_view, std::int64_t)> final_sagas{
    "select id, type, input, status, why, started from freehold_saga "
    "where status = $1 and ended <> 0 and id > $2 order by id limit $3"};
constexpr sql::Query<std::int64_t(SagaStatus)> count_live{
    "select count(*) from freehold_saga where status = $1 and ended = 0"};
constexpr sql::Query<std::int64_t(SagaStatus)> count_final{
    "select count(*) from freehold_saga where status = $1 and ended <> 0"};
constexpr sql::Change<void(std::string_view, SagaStatus, std::string_view, Time)> set_status{
    "update freehold_saga set status = $2, why = $3, ended = $4 where id = $1 and ended = 0"};
constexpr sql::Query<StepRow(std::string_view)> steps_of{
    "select step, name, request_hash, state, outcome, due from freehold_step "
    "where saga = $1 order by step"};
constexpr sql::Change<void(std::string_view, int, std::string_view, std::int64_t, StepState,
                           std::string_view, Time)>
    insert_step{
        "insert into freehold_step (saga, step, name, request_hash, state, outcome, due) "
        "values ($1, $2, $3, $4, $5, $6, $7) on conflict do nothing"};
constexpr sql::Change<void(std::string_view, int, StepState, std::string_view)> end_waiting_step{
    "update freehold_step set state = $3, outcome = $4 "
    "where saga = $1 and step = $2 and state = 'waiting'"};
constexpr sql::Change<void(std::string_view)> clear_timers{
    "update freehold_step set due = 0 where saga = $1 and due <> 0 and state = 'waiting'"};
constexpr sql::Change<void(std::string_view, int, Time, std::string_view)> note_late{
    "insert into freehold_late (saga, step, number, noted, outcome) "
    "select $1, $2, coalesce(max(number), 0) + 1, $3, $4 "
    "from freehold_late where saga = $1 and step = $2"};
constexpr sql::Query<LateRow(std::string_view)> late_of{
    "select step, outcome from freehold_late where saga = $1 order by step, number"};

constexpr sql::Query<DueTimer(Time, std::int64_t)> timers_due{
    "select due, saga, step from freehold_step "
    "where due <> 0 and state = 'waiting' and due <= $1 order by due, saga, step limit $2"};
constexpr sql::Query<Time()> first_timer{
    "select due from freehold_step where due <> 0 and state = 'waiting' order by due limit 1"};

constexpr sql::Query<std::string(Time, std::int64_t)> next_to_forget{
    "select id from freehold_saga where ended <> 0 and ended < $1 order by ended, id limit $2"};
constexpr sql::Change<void(std::string_view)> delete_steps{
    "delete from freehold_step where saga = $1"};
constexpr sql::Change<void(std::string_view)> delete_late{
    "delete from freehold_late where saga = $1"};
constexpr sql::Change<void(std::string_view)> delete_saga{
    "delete from freehold_saga where id = $1"};
constexpr sql::Change<void(Time, std::int64_t)> delete_orphans{
    "delete from freehold_late where (saga, step, number) in (select saga, step, number "
    "from freehold_late l where noted < $1 "
    "and not exists (select 1 from freehold_saga where id = l.saga) limit $2)"};

bool is_final(SagaStatus status) {
  return status == SagaStatus::ended || status == SagaStatus::failed;
}

}  // namespace

bool SqlBooks::start_saga(const SagaRecord& saga) {
  FREEHOLD_ASSERT(!is_final(saga.status), "a saga starts before it ends");
  return sql_.count(insert_saga, saga.id, saga.type, saga.input, saga.status, saga.why,
                    saga.started) == 1;
}

std::optional<SagaRecord> SqlBooks::saga(std::string_view id) {
  return sql_.first(saga_of, id);
}

void SqlBooks::end_saga(std::string_view id, SagaStatus status, std::string_view why) {
  const Time ended = is_final(status) ? now() : Time{};
  const std::int64_t changed = sql_.count(set_status, id, status, why, ended);
  FREEHOLD_ASSERT(changed == 1, "a saga that is not there, or final already, was ended");
  if (is_final(status)) sql_.run(clear_timers, id);
}

std::vector<SagaRecord> SqlBooks::sagas(SagaStatus status, std::string_view after_id,
                                        std::size_t sagas_max) {
  return sql_.all(is_final(status) ? final_sagas : live_sagas, status, after_id,
                  internal::limit_of(sagas_max));
}

std::int64_t SqlBooks::count_sagas(SagaStatus status) {
  return sql_.first(is_final(status) ? count_final : count_live, status).value();
}

std::vector<JournalEntry> SqlBooks::journal(std::string_view saga) {
  std::vector<JournalEntry> entries;
  for (StepRow& row : sql_.all(steps_of, saga))
    entries.push_back({.step = row.step,
                       .name = std::move(row.name),
                       .request_hash = internal::bits_in(row.request_hash),
                       .state = row.state,
                       .outcome = std::move(row.outcome),
                       .due = row.due});
  return entries;
}

void SqlBooks::add_step(std::string_view saga, const JournalEntry& entry) {
  FREEHOLD_ASSERT(entry.state != StepState::late, "a late outcome is no step of a journal");
  sql_.run(insert_step, saga, entry.step, entry.name, internal::column_of_bits(entry.request_hash),
           entry.state, entry.outcome, entry.due);
}

bool SqlBooks::end_step(std::string_view saga, int step, StepState state,
                        std::string_view outcome) {
  FREEHOLD_ASSERT(state == StepState::done || state == StepState::refused,
                  "a step ends as done or as refused");
  if (sql_.count(end_waiting_step, saga, step, state, outcome) == 1) return true;
  sql_.run(note_late, saga, step, now(), outcome);
  return false;
}

std::vector<JournalEntry> SqlBooks::late_outcomes(std::string_view saga) {
  std::vector<JournalEntry> entries;
  for (LateRow& row : sql_.all(late_of, saga))
    entries.push_back({.step = row.step,
                       .name = {},
                       .request_hash = 0,
                       .state = StepState::late,
                       .outcome = std::move(row.outcome),
                       .due = {}});
  return entries;
}

std::vector<DueTimer> SqlBooks::due_timers(Time now, std::size_t timers_max) {
  return sql_.all(timers_due, now, internal::limit_of(timers_max));
}

std::optional<Time> SqlBooks::next_timer() {
  return sql_.first(first_timer);
}

std::size_t SqlBooks::forget_sagas(Time ended_before, std::size_t sagas_max) {
  const std::int64_t limit = internal::limit_of(sagas_max);
  const auto ids = sql_.all(next_to_forget, ended_before, limit);
  for (const std::string& id : ids) {
    sql_.run(delete_steps, id);
    sql_.run(delete_late, id);
    sql_.run(delete_saga, id);
  }
  sql_.run(delete_orphans, ended_before, limit);
  return ids.size();
}

}  // namespace freehold
