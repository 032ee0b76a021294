// SPDX-License-Identifier: Apache-2.0
//
// The log as it is written, and read from its end. Who writes: the lane, once for each batch, as
// the last statements of its transaction. Positions come from the head rows under their locks, so
// they are dense and in commit order: a commit becomes visible before its locks are released, and
// whoever holds position n + 1 follows a visible n.
#include <algorithm>

#include "freehold/base/assert.h"
#include "freehold/base/crash_point.h"
#include "freehold/database/internal/columns.h"
#include "freehold/database/sql_books.h"

namespace freehold {
namespace {

using internal::column_of_bits;
using internal::draw_stamp;
using internal::id_at;
using internal::partition_of;
using internal::place_of;

struct LogRow {
  std::string log_id;
  std::uint32_t partitions;
};
BOOST_DESCRIBE_STRUCT(LogRow, (), (log_id, partitions))

struct StandingRow {
  std::int64_t position;
  std::int64_t stamp;
  std::int64_t low_position;
  std::int64_t low_stamp;
  std::optional<std::int64_t> stamp_there;
};
BOOST_DESCRIBE_STRUCT(StandingRow, (), (position, stamp, low_position, low_stamp, stamp_there))

struct WritableHeadRow {
  std::int64_t position;
  Time appended;
};
BOOST_DESCRIBE_STRUCT(WritableHeadRow, (), (position, appended))

struct EventRow {
  std::int64_t place;
  std::int64_t stamp;
  std::string type;
  std::string recipient;
  std::string json;
};
BOOST_DESCRIBE_STRUCT(EventRow, (), (place, stamp, type, recipient, json))

struct StateRow {
  std::int64_t version;
  std::int64_t place;
};
BOOST_DESCRIBE_STRUCT(StateRow, (), (version, place))

constexpr sql::Query<LogRow()> the_log{"select log_id, partitions from freehold_log"};
constexpr sql::Query<WritableHeadRow(std::int64_t)> locked_head{
    sql::locking("select position, appended from freehold_head where partition = $1 for update")};
constexpr sql::Change<void(std::int64_t, std::int64_t, std::int64_t, Time)> set_head{
    "update freehold_head set position = $2, stamp = $3, appended = $4 where partition = $1"};

constexpr sql::Change<void(std::int64_t, std::int64_t, Time, std::string_view, std::string_view,
                           std::optional<std::string_view>, std::string_view)>
    insert_event{
        "insert into freehold_event (place, stamp, appended, type, recipient, subject, json) "
        "values ($1, $2, $3, $4, $5, $6, $7)"};
constexpr sql::Query<StandingRow(std::int64_t, std::int64_t)> standing_of{
    "select h.position, h.stamp, h.low_position, h.low_stamp, e.stamp as stamp_there "
    "from freehold_head h left join freehold_event e on e.place = $2 where h.partition = $1"};
constexpr sql::Query<EventRow(std::int64_t, std::int64_t, std::int64_t)> events_between{
    "select place, stamp, type, recipient, json from freehold_event "
    "where place > $1 and place <= $2 order by place limit $3"};

constexpr sql::Query<StateRow(std::string_view, std::string_view)> state_of{
    "select version, place from freehold_state where family = $1 and subject = $2"};
constexpr sql::Change<void(std::string_view, std::string_view, std::int64_t, std::int64_t, bool)>
    insert_state{
        "insert into freehold_state (family, subject, version, place, deleted) "
        "values ($1, $2, $3, $4, $5)"};
constexpr sql::Change<void(std::string_view, std::string_view, std::int64_t, std::int64_t, bool)>
    replace_state{
        "update freehold_state set version = $3, place = $4, deleted = $5 "
        "where family = $1 and subject = $2"};
constexpr sql::Change<void(std::int64_t, std::int64_t, std::int64_t)> drop_if_cut{
    "delete from freehold_event where place = $1 and exists "
    "(select 1 from freehold_head where partition = $2 and low_position >= $3)"};

StoredEvent stored_event(EventRow&& row) {
  return {.id = id_at(row.place, row.stamp),
          .type = std::move(row.type),
          .recipient = std::move(row.recipient),
          .json = std::move(row.json)};
}

}  // namespace

const LogIdentity& SqlBooks::identity() {
  if (!log_) {
    auto row = sql_.first(the_log);
    FREEHOLD_ASSERT(row, "the books of this database were never created");
    log_ = {.log_id = std::move(row->log_id), .partitions = row->partitions};
  }
  return *log_;
}

LogIdentity SqlBooks::log() {
  return identity();
}

Head SqlBooks::head(std::uint32_t partition) {
  return standing_at(partition, 0).head;
}

void SqlBooks::lock_head(std::uint32_t partition) {
  sql_.first(locked_head, partition);
}

// Die before the commit: neither events nor positions are there. After it: both are, and every
// position up to the head has its event.
void SqlBooks::seal(std::span<const NewEvent> events) {
  sealed_.clear();
  if (events.empty()) return;
  const std::uint32_t partitions = identity().partitions;

  std::vector<std::uint32_t> partition_of_event;
  partition_of_event.reserve(events.size());
  for (const NewEvent& event : events)
    partition_of_event.push_back(partition_of(event, partitions));

  // Every writer locks heads in this order, after all else: two of them wait for one another's
  // commit, never in a circle.
  std::vector<std::optional<std::uint64_t>> newest(partitions);
  Time appended = now();
  for (std::uint32_t partition : partition_of_event) newest[partition] = 0;
  for (std::uint32_t partition = 0; partition < partitions; ++partition) {
    if (!newest[partition]) continue;
    const auto head = sql_.first(locked_head, partition);
    FREEHOLD_ASSERT(head, "a partition of the log has no head");
    newest[partition] = head->position;
    appended = std::max(appended, head->appended);  // a clock that went back: times still grow
  }

  const std::uint64_t stamp = draw_stamp();
  sealed_.reserve(events.size());
  for (std::size_t i = 0; i < events.size(); ++i) {
    const NewEvent& event = events[i];
    const std::uint32_t partition = partition_of_event[i];
    const EventId id{.partition = partition, .position = ++*newest[partition], .stamp = stamp};
    const bool is_state = event.state_version > 0;
    sql_.run(insert_event, place_of(partition, id.position), column_of_bits(stamp), appended,
             event.type, event.recipient,
             is_state ? std::optional<std::string_view>{event.subject} : std::nullopt, event.json);
    if (is_state) keep_state(event, id);
    sealed_.push_back({id, event.type, event.recipient, event.json});
  }
  FREEHOLD_CRASH_POINT("log.after_append");

  for (std::uint32_t partition = 0; partition < partitions; ++partition)
    if (newest[partition])
      sql_.run(set_head, partition, *newest[partition], column_of_bits(stamp), appended);
  FREEHOLD_CRASH_POINT("log.after_heads");
}

void SqlBooks::keep_state(const NewEvent& event, const EventId& id) {
  const std::string_view family = family_of(event.type);
  const std::int64_t place = place_of(id.partition, id.position);
  const auto kept = sql_.first(state_of, family, event.subject);
  if (!kept) {
    sql_.run(insert_state, family, event.subject, event.state_version, place, event.deleted);
    return;
  }
  if (event.state_version <= kept->version) return;
  sql_.run(replace_state, family, event.subject, event.state_version, place, event.deleted);
  // Retention has passed the event that was the latest until now and has left it for that only.
  const EventId replaced = id_at(kept->place, 0);
  sql_.run(drop_if_cut, kept->place, replaced.partition, replaced.position);
}

Standing SqlBooks::standing_at(std::uint32_t partition, std::uint64_t position) {
  const auto row = sql_.first(standing_of, partition,
                              place_of(partition, std::min(position, internal::position_max)));
  FREEHOLD_ASSERT(row, "this log does not have that partition");
  const EventId low = id_at(place_of(partition, row->low_position), row->low_stamp);
  Standing standing{
      .head = {.last = id_at(place_of(partition, row->position), row->stamp), .low = low},
      .stamp = std::nullopt};
  if (position == 0)
    standing.stamp = 0;
  else if (row->stamp_there)
    standing.stamp = internal::bits_in(*row->stamp_there);
  else if (position == low.position)
    standing.stamp = low.stamp;
  return standing;
}

// In pages, since a thousand events may be 64 MiB of which the caller wants one.
std::vector<StoredEvent> SqlBooks::events_after(std::uint32_t partition, std::uint64_t position,
                                                std::size_t events_max, std::size_t bytes_max) {
  constexpr std::size_t page_max = 100;
  const std::int64_t end = place_of(partition, internal::position_max);
  std::vector<StoredEvent> events;
  std::int64_t after = place_of(partition, std::min(position, internal::position_max));
  std::size_t bytes = 0;
  while (events.size() < events_max && bytes < bytes_max) {
    const std::size_t wanted = std::min(page_max, events_max - events.size());
    auto page = sql_.all(events_between, after, end, internal::limit_of(wanted));
    for (EventRow& row : page) {
      if (bytes >= bytes_max) break;
      bytes += row.json.size();
      after = row.place;
      events.push_back(stored_event(std::move(row)));
    }
    if (page.size() < wanted) break;
  }
  return events;
}

}  // namespace freehold
