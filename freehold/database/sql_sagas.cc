// SPDX-License-Identifier: Apache-2.0
//
// Sagas, their journals and timers. A saga is read, resumed and written back as one row, which
// nobody else changes meanwhile: so the first outcome of a step wins. Its journal is a JSON array
// of {"name","request_hash","state","outcome"}.

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/database/internal/columns.h"
#include "freehold/database/sql_books.h"

namespace freehold {

BOOST_DESCRIBE_STRUCT(SagaRecord, (),
                      (id, type, input, status, why, started, due, journal, trace_parent))
BOOST_DESCRIBE_STRUCT(LateOutcome, (), (step, outcome))

namespace {

using Journal = std::vector<JournalEntry>;

constexpr sql::Change<void(std::string_view, std::string_view, std::string_view, SagaStatus,
                           std::string_view, Time, Time, Journal, Time, std::string_view)>
    insert_saga{sql::by_key(
        "insert into freehold_saga (id, type, input, status, why, started, due, journal, ended, "
        "trace_parent) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing")};
constexpr sql::Query<SagaRecord(std::string_view)> saga_of{sql::by_key(
    "select id, type, input, status, why, started, due, journal, trace_parent from freehold_saga "
    "where id = $1")};
constexpr sql::Query<SagaRecord(std::string_view)> locked_saga_of{sql::by_key(
    sql::locking("select id, type, input, status, why, started, due, journal, trace_parent "
                 "from freehold_saga where id = $1 for update"))};
constexpr sql::Query<SagaRecord(SagaStatus, std::string_view, std::int64_t)> live_sagas{
    "select id, type, input, status, why, started, due, journal, trace_parent from freehold_saga "
    "where status = $1 and ended = 0 and id > $2 order by id limit $3"};
constexpr sql::Query<SagaRecord(SagaStatus, std::string_view, std::int64_t)> final_sagas{
    "select id, type, input, status, why, started, due, journal, trace_parent from freehold_saga "
    "where status = $1 and ended <> 0 and id > $2 order by id limit $3"};
constexpr sql::Query<std::int64_t(SagaStatus)> count_live{
    "select count(*) from freehold_saga where status = $1 and ended = 0"};
constexpr sql::Query<std::int64_t(SagaStatus)> count_final{
    "select count(*) from freehold_saga where status = $1 and ended <> 0"};
constexpr sql::Query<std::int64_t(Time)> count_ended{
    "select count(*) from freehold_saga where ended <> 0 and ended >= $1"};
// `ended < 1`, for `ended = 0` would have PostgreSQL look through the index of all live sagas.
constexpr sql::Change<void(std::string_view, SagaStatus, std::string_view, Time, Journal, Time)>
    update_saga{sql::by_key(
        "update freehold_saga set status = $2, why = $3, due = $4, journal = $5, ended = $6 "
        "where id = $1 and ended < 1")};

constexpr sql::Query<std::string(Time, std::int64_t)> ids_due{
    "select id from freehold_saga where due <> 0 and due <= $1 order by due limit $2"};
constexpr sql::Query<Time()> first_timer{
    "select due from freehold_saga where due <> 0 order by due limit 1"};

constexpr sql::Change<void(std::string_view, int, Time, std::string_view)> insert_late{
    sql::apart("insert into freehold_late (saga, step, number, noted, outcome) "
               "select $1, $2, coalesce(max(number), 0) + 1, $3, $4 "
               "from freehold_late where saga = $1 and step = $2")};
constexpr sql::Query<LateOutcome(std::string_view)> late_of{
    "select step, outcome from freehold_late where saga = $1 order by step, number"};

constexpr sql::Query<std::string(Time, std::int64_t)> next_to_forget{
    "select id from freehold_saga where ended <> 0 and ended < $1 order by ended limit $2"};
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

Time end_of(const SagaRecord& saga) {
  return is_final(saga.status) ? now() : Time{};
}

}  // namespace

bool SqlBooks::add_saga(const SagaRecord& saga) {
  return sql_.changes_one(insert_saga, saga.id, saga.type, saga.input, saga.status, saga.why,
                          saga.started, saga.due, saga.journal, end_of(saga), saga.trace_parent);
}

std::optional<SagaRecord> SqlBooks::saga(std::string_view id) {
  return sql_.first(saga_of, id);
}

void SqlBooks::foresee_lock_saga(std::string_view id) {
  sql_.foresee(locked_saga_of, id);
}

std::optional<SagaRecord> SqlBooks::lock_saga(std::string_view id) {
  return sql_.first(locked_saga_of, id);
}

void SqlBooks::save_saga(const SagaRecord& saga) {
  FREEHOLD_ASSERT(!is_final(saga.status) || saga.due == Time{}, "a final saga has no timer");
  const bool is_saved = sql_.changes_one(update_saga, saga.id, saga.status, saga.why, saga.due,
                                         saga.journal, end_of(saga));
  FREEHOLD_ASSERT(is_saved, "a saga that is not there, or final already, was saved");
}

std::vector<SagaRecord> SqlBooks::sagas(SagaStatus status, std::string_view after_id,
                                        std::size_t sagas_max) {
  return sql_.all(is_final(status) ? final_sagas : live_sagas, status, after_id,
                  internal::limit_of(sagas_max));
}

std::int64_t SqlBooks::count_sagas(SagaStatus status) {
  return sql_.first(is_final(status) ? count_final : count_live, status).value();
}

std::int64_t SqlBooks::count_sagas_ended(Time since) {
  return sql_.first(count_ended, since).value();
}

std::vector<std::string> SqlBooks::due_sagas(Time now, std::size_t sagas_max) {
  return sql_.all(ids_due, now, internal::limit_of(sagas_max));
}

std::optional<Time> SqlBooks::next_timer() {
  return sql_.first(first_timer);
}

void SqlBooks::note_late(std::string_view saga, int step, std::string_view outcome) {
  sql_.run(insert_late, saga, step, now(), outcome);
}

std::vector<LateOutcome> SqlBooks::late_outcomes(std::string_view saga) {
  return sql_.all(late_of, saga);
}

std::size_t SqlBooks::forget_sagas(Time ended_before, std::size_t sagas_max) {
  const std::int64_t limit = internal::limit_of(sagas_max);
  const auto ids = sql_.all(next_to_forget, ended_before, limit);
  for (const std::string& id : ids) {
    sql_.run(delete_late, id);
    sql_.run(delete_saga, id);
  }
  sql_.run(delete_orphans, ended_before, limit);
  return ids.size();
}

}  // namespace freehold
