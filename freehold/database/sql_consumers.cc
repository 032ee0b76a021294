// SPDX-License-Identifier: Apache-2.0
//
// How far each consumer has read, under which lease. The cursor moves in the transaction that holds
// the effects of what it passes; the move is conditional on place, stamp and epoch, so an owner
// that was paused and replaced is fenced by the database.
#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/database/internal/columns.h"
#include "freehold/database/sql_books.h"

namespace freehold {
namespace {

using internal::column_of_bits;
using internal::id_at;
using internal::place_of;

struct CursorRow {
  std::int64_t position;
  std::int64_t stamp;
  std::string log_id;
};
BOOST_DESCRIBE_STRUCT(CursorRow, (), (position, stamp, log_id))

struct IdRow {
  std::int64_t position;
  std::int64_t stamp;
};
BOOST_DESCRIBE_STRUCT(IdRow, (), (position, stamp))

constexpr sql::Query<CursorRow(std::string_view, std::int64_t)> cursor_of{
    "select position, stamp, log_id from freehold_cursor where consumer = $1 and partition = $2"};
constexpr sql::Change<void(std::string_view, std::int64_t, std::int64_t, std::int64_t,
                           std::string_view)>
    set_cursor{
        "insert into freehold_cursor (consumer, partition, position, stamp, log_id) "
        "values ($1, $2, $3, $4, $5) on conflict (consumer, partition) do update set "
        "position = excluded.position, stamp = excluded.stamp, log_id = excluded.log_id"};
constexpr sql::Change<void(std::string_view, std::int64_t, std::int64_t, std::int64_t, std::int64_t,
                           std::int64_t, std::int64_t)>
    move_cursor_of{
        sql::apart("update freehold_cursor set position = $5, stamp = $6 "
                   "where consumer = $1 and partition = $2 and position = $3 and stamp = $4 "
                   "and exists (select 1 from freehold_lease where name = $1 and epoch = $7)")};

constexpr sql::Change<void(std::string_view, std::int64_t, std::int64_t, std::int64_t,
                           std::int64_t)>
    add_waypoint{
        sql::apart("insert into freehold_waypoint (consumer, partition, minute, position, stamp) "
                   "values ($1, $2, $3, $4, $5) on conflict do nothing")};
constexpr sql::Change<void(std::string_view, std::int64_t, std::int64_t)> drop_waypoints{sql::apart(
    "delete from freehold_waypoint where consumer = $1 and partition = $2 and minute <= $3")};
constexpr sql::Query<IdRow(std::string_view, std::int64_t)> waypoints_of{
    "select position, stamp from freehold_waypoint where consumer = $1 and partition = $2 "
    "order by minute desc"};

constexpr sql::Query<int(std::string_view, std::int64_t, std::int64_t, std::int64_t)> tries_of{
    "select tries from freehold_try "
    "where consumer = $1 and partition = $2 and position = $3 and stamp = $4"};
constexpr sql::Change<void(std::string_view, std::int64_t, std::int64_t, std::int64_t)> add_try{
    "insert into freehold_try (consumer, partition, position, stamp, tries) "
    "values ($1, $2, $3, $4, 1) on conflict (consumer, partition, position, stamp) do update set "
    "tries = freehold_try.tries + 1"};
constexpr sql::Change<void(std::string_view)> delete_tries{
    "delete from freehold_try where consumer = $1"};

// `$4`: now, here and there; the server looks at its own clock, when it has waited for the row.
// Who finds there that it is another's does not touch the row: instances that stand by would lock
// the rows of a batch in the order in which they came, and their owners in another.
#define FREEHOLD_SERVER_NOW "(extract(epoch from clock_timestamp()) * 1000000)::bigint"
#define FREEHOLD_TAKE_LEASE(until, where)                                                         \
  "insert into freehold_lease as l (name, owner, epoch, held_until) select $1, $2, 1, " until     \
  " where " where " on conflict (name) do update set owner = excluded.owner, held_until = " until \
  ", epoch = l.epoch + (case when l.owner = excluded.owner then 0 else 1 end) "
using TakeLease = sql::Query<std::int64_t(std::string_view, std::string_view, std::int64_t, Time)>;
constexpr TakeLease take_lease_of{sql::Dialects{
    .sqlite = FREEHOLD_TAKE_LEASE("$4 + $3", "true") "where l.owner = $2 or l.held_until <= $4 "
                                                     "returning epoch",
    .postgres = FREEHOLD_TAKE_LEASE(
        FREEHOLD_SERVER_NOW " + $3",
        "not exists (select 1 from freehold_lease where name = $1 and owner <> $2 "
        "and held_until > " FREEHOLD_SERVER_NOW
        ")") "where $4 is not null and (l.owner = $2 or l.held_until <= " FREEHOLD_SERVER_NOW
             ") returning epoch"}};
constexpr TakeLease seize_lease_of{
    sql::Dialects{.sqlite = FREEHOLD_TAKE_LEASE("$4 + $3", "true") "returning epoch",
                  .postgres = FREEHOLD_TAKE_LEASE(FREEHOLD_SERVER_NOW " + $3",
                                                  "true") "where $4 is not null returning epoch"}};
#undef FREEHOLD_TAKE_LEASE
#undef FREEHOLD_SERVER_NOW
constexpr sql::Query<std::int64_t(std::string_view, std::int64_t)> lease_of_epoch{sql::Dialects{
    .sqlite = "select epoch from freehold_lease where name = $1 and epoch = $2",
    .postgres = "select epoch from freehold_lease where name = $1 and epoch = $2 for share"}};
constexpr sql::Change<void(std::string_view, std::int64_t)> end_lease{
    "update freehold_lease set held_until = 0 where name = $1 and epoch = $2"};

}  // namespace

std::optional<Cursor> SqlBooks::cursor(std::string_view consumer, std::uint32_t partition) {
  auto row = sql_.first(cursor_of, consumer, partition);
  if (!row) return std::nullopt;
  return Cursor{.at = id_at(place_of(partition, row->position), row->stamp),
                .log_id = std::move(row->log_id)};
}

void SqlBooks::begin_cursor(std::string_view consumer, std::uint32_t partition,
                            const Cursor& cursor) {
  FREEHOLD_ASSERT(cursor.at.partition == partition, "a cursor stands in its own partition");
  sql_.run(set_cursor, consumer, partition, cursor.at.position, column_of_bits(cursor.at.stamp),
           cursor.log_id);
}

bool SqlBooks::move_cursor(std::string_view consumer, const EventId& from, const EventId& to,
                           std::uint64_t epoch) {
  FREEHOLD_ASSERT(from.partition == to.partition && from.position <= to.position,
                  "a cursor moves forwards in one partition");
  return sql_.count(move_cursor_of, consumer, from.partition, from.position,
                    column_of_bits(from.stamp), to.position, column_of_bits(to.stamp), epoch) == 1;
}

void SqlBooks::note_waypoint(std::string_view consumer, const EventId& id, Time at) {
  constexpr std::int64_t minutes_kept = 7 * 24 * 60;
  const std::int64_t minute =
      std::chrono::floor<std::chrono::minutes>(at).time_since_epoch().count();
  sql_.run(add_waypoint, consumer, id.partition, minute, id.position, column_of_bits(id.stamp));
  sql_.run(drop_waypoints, consumer, id.partition, minute - minutes_kept);
}

std::vector<EventId> SqlBooks::waypoints(std::string_view consumer, std::uint32_t partition) {
  std::vector<EventId> ids;
  for (const IdRow& row : sql_.all(waypoints_of, consumer, partition))
    ids.push_back(id_at(place_of(partition, row.position), row.stamp));
  return ids;
}

int SqlBooks::tries(std::string_view consumer, const EventId& id) {
  return sql_.first(tries_of, consumer, id.partition, id.position, column_of_bits(id.stamp))
      .value_or(0);
}

void SqlBooks::note_try(std::string_view consumer, const EventId& id) {
  sql_.run(add_try, consumer, id.partition, id.position, column_of_bits(id.stamp));
}

void SqlBooks::forget_tries(std::string_view consumer) {
  sql_.run(delete_tries, consumer);
}

std::optional<std::uint64_t> SqlBooks::take_lease(std::string_view name, std::string_view owner,
                                                  std::chrono::microseconds length) {
  const auto epoch = sql_.first(take_lease_of, name, owner, length.count(), now());
  if (!epoch) return std::nullopt;
  return static_cast<std::uint64_t>(*epoch);
}

std::uint64_t SqlBooks::seize_lease(std::string_view name, std::string_view owner,
                                    std::chrono::microseconds length) {
  return static_cast<std::uint64_t>(
      sql_.first(seize_lease_of, name, owner, length.count(), now()).value());
}

bool SqlBooks::holds_lease(std::string_view name, std::uint64_t epoch) {
  return sql_.first(lease_of_epoch, name, epoch).has_value();
}

void SqlBooks::release_lease(std::string_view name, std::uint64_t epoch) {
  sql_.run(end_lease, name, epoch);
}

}  // namespace freehold
