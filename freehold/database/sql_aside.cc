// SPDX-License-Identifier: Apache-2.0
//
// Set-aside events. The key of one that failed takes its later events with it: they queue here in
// the order of the log, and only the first of a key is ever tried.
#include "freehold/database/internal/columns.h"
#include "freehold/database/sql_books.h"

namespace freehold {
namespace {

using internal::column_of_bits;

struct AsideRow {
  std::string consumer;
  std::string key;
  std::uint32_t partition;
  std::int64_t position;
  std::int64_t stamp;
  std::string json;
  int attempts;
  Time next_try;
  bool parked;
  std::string why;
};
BOOST_DESCRIBE_STRUCT(AsideRow, (),
                      (consumer, key, partition, position, stamp, json, attempts, next_try, parked,
                       why))

#define FREEHOLD_ASIDE_COLUMNS \
  "consumer, key, partition, position, stamp, json, attempts, next_try, parked, why"
#define FREEHOLD_ASIDE_IS_FIRST                                               \
  "not exists (select 1 from freehold_aside b where b.consumer = a.consumer " \
  "and b.key = a.key and (b.partition, b.position, b.stamp) < (a.partition, a.position, a.stamp))"

constexpr sql::Change<void(std::string_view, std::string_view, std::int64_t, std::int64_t,
                           std::int64_t, std::string_view, int, Time, bool, std::string_view)>
    insert_aside{"insert into freehold_aside (" FREEHOLD_ASIDE_COLUMNS
                 ") values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict do nothing"};
constexpr sql::Query<std::string(std::string_view)> keys_of{
    "select distinct key from freehold_aside where consumer = $1 order by key"};
constexpr sql::Query<AsideRow(std::string_view, Time, std::int64_t)> due_of{
    "select " FREEHOLD_ASIDE_COLUMNS
    " from freehold_aside a where consumer = $1 and parked = 0 and next_try <= $2 "
    "and " FREEHOLD_ASIDE_IS_FIRST " order by next_try, partition, position limit $3"};
constexpr sql::Query<Time(std::string_view)> next_try_of{
    "select next_try from freehold_aside a where consumer = $1 and parked = 0 "
    "and " FREEHOLD_ASIDE_IS_FIRST " order by next_try limit 1"};
constexpr sql::Query<AsideRow(std::string_view, std::string_view)> events_of_key{
    "select " FREEHOLD_ASIDE_COLUMNS
    " from freehold_aside where consumer = $1 and key = $2 order by partition, position, stamp"};
constexpr sql::Query<AsideRow(std::int64_t)> all_events{
    "select " FREEHOLD_ASIDE_COLUMNS
    " from freehold_aside order by consumer, key, partition, position, stamp limit $1"};
constexpr sql::Change<void(std::string_view, std::string_view, std::int64_t, std::int64_t,
                           std::int64_t, int, Time, bool, std::string_view)>
    set_outcome{
        "update freehold_aside set attempts = $6, next_try = $7, parked = $8, why = $9 "
        "where consumer = $1 and key = $2 and partition = $3 and position = $4 and stamp = $5"};
constexpr sql::Change<void(std::string_view, std::string_view, std::int64_t, std::int64_t,
                           std::int64_t)>
    delete_aside{
        "delete from freehold_aside "
        "where consumer = $1 and key = $2 and partition = $3 and position = $4 and stamp = $5"};

#undef FREEHOLD_ASIDE_COLUMNS
#undef FREEHOLD_ASIDE_IS_FIRST

std::vector<AsideEvent> events_in(std::vector<AsideRow>&& rows) {
  std::vector<AsideEvent> events;
  events.reserve(rows.size());
  for (AsideRow& row : rows) {
    events.push_back(
        {.consumer = std::move(row.consumer),
         .key = std::move(row.key),
         .id = internal::id_at(internal::place_of(row.partition, row.position), row.stamp),
         .json = std::move(row.json),
         .attempts = row.attempts,
         .next_try = row.next_try,
         .parked = row.parked,
         .why = std::move(row.why)});
  }
  return events;
}

}  // namespace

void SqlBooks::set_aside(const AsideEvent& event) {
  sql_.run(insert_aside, event.consumer, event.key, event.id.partition, event.id.position,
           column_of_bits(event.id.stamp), event.json, event.attempts, event.next_try, event.parked,
           event.why);
}

std::vector<std::string> SqlBooks::aside_keys(std::string_view consumer) {
  return sql_.all(keys_of, consumer);
}

std::vector<AsideEvent> SqlBooks::aside_due(std::string_view consumer, Time now,
                                            std::size_t events_max) {
  return events_in(sql_.all(due_of, consumer, now, internal::limit_of(events_max)));
}

std::vector<AsideEvent> SqlBooks::aside_of(std::string_view consumer, std::string_view key) {
  return events_in(sql_.all(events_of_key, consumer, key));
}

std::vector<AsideEvent> SqlBooks::aside_all(std::size_t events_max) {
  return events_in(sql_.all(all_events, internal::limit_of(events_max)));
}

bool SqlBooks::update_aside(const AsideEvent& event) {
  return sql_.count(set_outcome, event.consumer, event.key, event.id.partition, event.id.position,
                    column_of_bits(event.id.stamp), event.attempts, event.next_try, event.parked,
                    event.why) == 1;
}

bool SqlBooks::drop_aside(const AsideEvent& event) {
  return sql_.count(delete_aside, event.consumer, event.key, event.id.partition, event.id.position,
                    column_of_bits(event.id.stamp)) == 1;
}

std::optional<Time> SqlBooks::next_aside_try(std::string_view consumer) {
  return sql_.first(next_try_of, consumer);
}

}  // namespace freehold
