// SPDX-License-Identifier: Apache-2.0
//
// What is kept of the log: the latest state of each subject for ever, the rest until it is cut.
#include <algorithm>
#include <stdexcept>

#include "freehold/base/assert.h"
#include "freehold/database/internal/columns.h"
#include "freehold/database/sql_books.h"

namespace freehold {
namespace {

using internal::column_of_bits;
using internal::id_at;
using internal::place_of;

struct SubjectRow {
  std::string subject;
  std::int64_t place;
  std::int64_t stamp;
  std::string type;
  std::string recipient;
  std::string json;
};
BOOST_DESCRIBE_STRUCT(SubjectRow, (), (subject, place, stamp, type, recipient, json))

struct CutRow {
  std::int64_t place;
  std::int64_t stamp;
  std::string type;
  std::optional<std::string> subject;
};
BOOST_DESCRIBE_STRUCT(CutRow, (), (place, stamp, type, subject))

struct UncutRow {
  std::int64_t position;
  std::int64_t low_position;
};
BOOST_DESCRIBE_STRUCT(UncutRow, (), (position, low_position))

struct LatestRow {
  std::int64_t place;
  bool deleted;
};
BOOST_DESCRIBE_STRUCT(LatestRow, (), (place, deleted))

struct ReaderRow {
  std::string service;
  std::string consumer;
  std::uint32_t partition;
  std::int64_t position;
  std::int64_t stamp;
  Time seen;
};
BOOST_DESCRIBE_STRUCT(ReaderRow, (), (service, consumer, partition, position, stamp, seen))

constexpr sql::Query<SubjectRow(std::string_view, std::string_view, std::int64_t)>
    states_by_subject{
        "select s.subject as subject, e.place as place, e.stamp as stamp, e.type as type, "
        "e.recipient as recipient, e.json as json "
        "from freehold_state s join freehold_event e on e.place = s.place "
        "where s.family = $1 and s.subject > $2 and s.deleted = 0 order by s.subject limit $3"};
constexpr sql::Query<StateSum(std::string_view)> sum_of_family{
    "select count(*) as subjects, cast(coalesce(sum(version), 0) as bigint) as versions "
    "from freehold_state where family = $1 and deleted = 0"};
constexpr sql::Query<UncutRow(std::int64_t)> locked_head{
    sql::locking("select position, low_position from freehold_head where partition = $1 "
                 "for update")};
constexpr sql::Query<CutRow(std::int64_t, std::int64_t, std::int64_t)> next_to_cut{
    "select place, stamp, type, subject from freehold_event "
    "where place > $1 and place <= $2 order by place limit $3"};
constexpr sql::Query<LatestRow(std::string_view, std::string_view)> latest_of{
    "select place, deleted from freehold_state where family = $1 and subject = $2"};
constexpr sql::Change<void(std::string_view, std::string_view, std::int64_t)> forget_state{
    "delete from freehold_state where family = $1 and subject = $2 and place = $3"};
constexpr sql::Change<void(std::int64_t, std::int64_t)> delete_between{
    "delete from freehold_event where place > $1 and place < $2"};
constexpr sql::Change<void(std::int64_t, std::int64_t, std::int64_t)> set_low{
    "update freehold_head set low_position = $2, low_stamp = $3 where partition = $1"};
constexpr sql::Query<Time(std::int64_t)> appended_at{
    "select appended from freehold_event where place = $1"};

constexpr sql::Change<void(std::string_view, std::string_view, std::int64_t, std::int64_t,
                           std::int64_t, Time)>
    set_reader{
        "insert into freehold_reader (service, consumer, partition, position, stamp, seen) "
        "values ($1, $2, $3, $4, $5, $6) on conflict (service, consumer, partition) do update set "
        "position = excluded.position, stamp = excluded.stamp, seen = excluded.seen "
        "where excluded.seen >= freehold_reader.seen"};
constexpr sql::Query<ReaderRow()> all_readers{
    "select service, consumer, partition, position, stamp, seen from freehold_reader "
    "order by service, consumer, partition"};
constexpr sql::Query<ReaderRow()> all_readers_locked{
    sql::locking("select service, consumer, partition, position, stamp, seen from freehold_reader "
                 "order by service, consumer, partition for update")};
constexpr sql::Change<void(std::string_view, std::string_view)> delete_reader{
    "delete from freehold_reader where service = $1 and consumer = $2"};

std::vector<ReaderRecord> readers_in(std::vector<ReaderRow>&& rows) {
  std::vector<ReaderRecord> readers;
  readers.reserve(rows.size());
  for (ReaderRow& row : rows) {
    readers.push_back({.service = std::move(row.service),
                       .consumer = std::move(row.consumer),
                       .partition = row.partition,
                       .acknowledged = id_at(place_of(row.partition, row.position), row.stamp),
                       .seen = row.seen});
  }
  return readers;
}

}  // namespace

StateSum SqlBooks::sum_of_states(std::string_view family) {
  return *sql_.first(sum_of_family, family);
}

std::vector<SubjectState> SqlBooks::states_after(std::string_view family, std::string_view subject,
                                                 std::size_t events_max) {
  std::vector<SubjectState> states;
  for (SubjectRow& row :
       sql_.all(states_by_subject, family, subject, internal::limit_of(events_max)))
    states.push_back({{.id = id_at(row.place, row.stamp),
                       .type = std::move(row.type),
                       .recipient = std::move(row.recipient),
                       .json = std::move(row.json)},
                      std::move(row.subject)});
  return states;
}

// A piece is deleted as the runs between the events that stay, so retention costs about what the
// rows cost, and no index leads from an event to its state. Under the head's lock: else another
// instance would replace a state that is kept here, and see in low that it need not be deleted.
std::size_t SqlBooks::cut(std::uint32_t partition, std::uint64_t position, std::size_t events_max) {
  FREEHOLD_ASSERT(events_max > 0, "a cut in pieces of nothing never ends");
  const auto head = sql_.first(locked_head, partition);
  FREEHOLD_ASSERT(head, "this log does not have that partition");
  const std::uint64_t end = std::min(position, static_cast<std::uint64_t>(head->position));
  if (end <= static_cast<std::uint64_t>(head->low_position)) return 0;

  const std::int64_t low = place_of(partition, head->low_position);
  const auto piece =
      sql_.all(next_to_cut, low, place_of(partition, end), internal::limit_of(events_max));
  if (piece.empty()) throw std::runtime_error("the log has a hole behind its low-water mark");

  std::size_t kept = 0;
  std::int64_t run_after = low;
  for (const CutRow& event : piece) {
    if (!event.subject) continue;
    const std::string_view family = family_of(event.type);
    const auto latest = sql_.first(latest_of, family, *event.subject);
    if (!latest || latest->place != event.place) continue;
    if (latest->deleted) {
      sql_.run(forget_state, family, *event.subject, event.place);
      continue;
    }
    sql_.run(delete_between, run_after, event.place);
    run_after = event.place;
    ++kept;
  }
  const CutRow& last = piece.back();
  sql_.run(delete_between, run_after, last.place + 1);
  sql_.run(set_low, partition, id_at(last.place, last.stamp).position, last.stamp);
  return piece.size() - kept;
}

// By halving: above low, positions are dense and times never fall.
std::uint64_t SqlBooks::position_before(std::uint32_t partition, Time time) {
  const Head head = this->head(partition);
  std::uint64_t before = head.low.position;
  std::uint64_t not_before = head.last.position + 1;
  while (not_before - before > 1) {
    const std::uint64_t middle = before + (not_before - before) / 2;
    const auto appended = sql_.first(appended_at, place_of(partition, middle));
    if (!appended) throw std::runtime_error("the log has a hole before its head");
    (*appended < time ? before : not_before) = middle;
  }
  return before;
}

void SqlBooks::note_reader(const ReaderRecord& reader) {
  sql_.run(set_reader, reader.service, reader.consumer, reader.partition,
           reader.acknowledged.position, column_of_bits(reader.acknowledged.stamp), reader.seen);
}

std::vector<ReaderRecord> SqlBooks::readers() {
  return readers_in(sql_.all(all_readers));
}

std::vector<ReaderRecord> SqlBooks::lock_readers() {
  return readers_in(sql_.all(all_readers_locked));
}

void SqlBooks::forget_reader(std::string_view service, std::string_view consumer) {
  sql_.run(delete_reader, service, consumer);
}

}  // namespace freehold
