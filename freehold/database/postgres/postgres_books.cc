// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_books.h"

#include <algorithm>
#include <map>
#include <string>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/base/crash_point.h"
#include "freehold/database/internal/columns.h"

namespace freehold {
namespace {

using internal::column_of_bits;

// One statement, so the server acts on it when all of it has come: a client that stops while it
// sends 64 KiB of events holds no head. Two writers that move several heads lock them in one order,
// so they never wait in a circle; the heads' rows below are those that were locked, not those of
// the statement's snapshot.
#define FREEHOLD_MOVE_HEADS                                                                      \
  "with locked as (select partition from freehold_head where partition = any($1) "               \
  "order by partition for update), "                                                             \
  "heads as (update freehold_head h set position = h.position + n.events, stamp = $3, "          \
  "appended = greatest(h.appended, $4) from unnest($1, $2) as n (partition, events) "            \
  "join locked l on l.partition = n.partition where h.partition = l.partition "                  \
  "returning h.partition, h.position, h.stamp, h.appended, h.low_position), "                    \
  "written as (insert into freehold_event "                                                      \
  "(place, stamp, appended, type, recipient, subject, json) "                                    \
  "select n.partition << 48 | (h.position - n.rank), h.stamp, h.appended, n.type, n.recipient, " \
  "n.subject, n.json from unnest($5, $6, $7, $8, $9, $10) "                                      \
  "as n (partition, rank, type, recipient, subject, json) "                                      \
  "join heads h on h.partition = n.partition) "

constexpr std::string_view append_events =
    FREEHOLD_MOVE_HEADS "select partition, position from heads";

// Retention has left an event at or below low only because it was its subject's latest state: it
// goes when there is a newer one.
constexpr std::string_view append_events_and_states = FREEHOLD_MOVE_HEADS
    ", states as (select * from unnest($11, $12, $13, $14, $15, $16) "
    "as n (family, subject, version, partition, rank, deleted)), "
    "replaced as (delete from freehold_event e using states n, freehold_state s, freehold_head o "
    "left join heads h on h.partition = o.partition "
    "where s.family = n.family and s.subject = n.subject and s.version < n.version "
    "and e.place = s.place and o.partition = s.place >> 48 "
    "and (s.place & 281474976710655) <= coalesce(h.low_position, o.low_position)), "
    "kept as (insert into freehold_state as s (family, subject, version, place, deleted) "
    "select n.family, n.subject, n.version, n.partition << 48 | (h.position - n.rank), n.deleted "
    "from states n join heads h on h.partition = n.partition order by n.family, n.subject "
    "on conflict (family, subject) do update set version = excluded.version, "
    "place = excluded.place, deleted = excluded.deleted where excluded.version > s.version) "
    "select partition, position from heads";

#undef FREEHOLD_MOVE_HEADS

static_assert(internal::position_bits == 48);

std::int64_t microseconds(Time time) {
  return time.time_since_epoch().count();
}

// Which events are the newest state of their subject: of equal versions the first.
std::vector<std::size_t> newest_states(std::span<const NewEvent> events) {
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> newest;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].state_version <= 0) continue;
    const auto [kept, is_new] =
        newest.try_emplace({family_of(events[i].type), events[i].subject}, i);
    if (!is_new && events[i].state_version > events[kept->second].state_version) kept->second = i;
  }
  std::vector<std::size_t> states;
  states.reserve(newest.size());
  for (const auto& [subject, i] : newest) states.push_back(i);
  return states;
}

}  // namespace

PostgresStatement& PostgresBooks::statement(std::string_view text) {
  return static_cast<PostgresStatement&>(transaction_.statement(text));
}

PostgresStatement& PostgresBooks::statement_by_key(std::string_view text) {
  return static_cast<PostgresStatement&>(transaction_.statement_by_key(text));
}

// Die before the commit: neither events nor positions are there. After it: both are, and every
// position up to the head has its event.
void PostgresBooks::seal(std::span<const NewEvent> events) {
  forget_seal();
  if (events.empty()) return;
  const std::uint32_t partitions = log().partitions;
  const std::uint64_t stamp = internal::draw_stamp();

  std::vector<std::int64_t> seen(partitions);
  partition_of_.resize(events.size());
  rank_of_.resize(events.size());
  for (std::size_t i = events.size(); i-- > 0;) {
    partition_of_[i] = internal::partition_of(events[i], partitions);
    rank_of_[i] = seen[partition_of_[i]]++;
  }
  for (std::size_t i = 0; i < events.size(); ++i)
    events_.push_back({.id = {partition_of_[i], 0, stamp},
                       .type = events[i].type,
                       .recipient = events[i].recipient,
                       .json = events[i].json});
  const std::vector<std::size_t> states = newest_states(events);
  seal_ = &statement(states.empty() ? append_events : append_events_and_states);
  bind_heads(seen);
  bind_events(events);
  if (!states.empty()) bind_states(events, states);
}

void PostgresBooks::send_seal() {
  if (seal_) seal_->send_to_read();
  FREEHOLD_CRASH_POINT("log.after_seal_sent");
}

void PostgresBooks::forget_seal() {
  events_.clear();
  seal_ = nullptr;
}

// `events_of`: how many events each partition gets.
void PostgresBooks::bind_heads(std::span<const std::int64_t> events_of) {
  std::vector<std::int64_t> moved, by;
  for (std::size_t partition = 0; partition < events_of.size(); ++partition) {
    if (events_of[partition] == 0) continue;
    moved.push_back(static_cast<std::int64_t>(partition));
    by.push_back(events_of[partition]);
  }
  seal_->integers(1, moved);
  seal_->integers(2, by);
  seal_->integer(3, column_of_bits(events_.front().id.stamp));
  seal_->integer(4, microseconds(now()));
}

void PostgresBooks::bind_events(std::span<const NewEvent> events) {
  std::vector<std::optional<std::string_view>> types, recipients, subjects, jsons;
  for (const NewEvent& event : events) {
    types.emplace_back(event.type);
    recipients.emplace_back(event.recipient);
    subjects.emplace_back(event.state_version > 0 ? std::optional<std::string_view>{event.subject}
                                                  : std::nullopt);
    jsons.emplace_back(event.json);
  }
  seal_->integers(5, std::vector<std::int64_t>{partition_of_.begin(), partition_of_.end()});
  seal_->integers(6, rank_of_);
  seal_->texts(7, types);
  seal_->texts(8, recipients);
  seal_->texts(9, subjects);
  seal_->texts(10, jsons);
}

void PostgresBooks::bind_states(std::span<const NewEvent> events,
                                std::span<const std::size_t> states) {
  std::vector<std::optional<std::string_view>> families, subjects;
  std::vector<std::int64_t> versions, partitions, ranks, deleted;
  for (const std::size_t i : states) {
    families.emplace_back(family_of(events[i].type));
    subjects.emplace_back(events[i].subject);
    versions.push_back(events[i].state_version);
    partitions.push_back(partition_of_[i]);
    ranks.push_back(rank_of_[i]);
    deleted.push_back(events[i].deleted ? 1 : 0);
  }
  seal_->texts(11, families);
  seal_->texts(12, subjects);
  seal_->integers(13, versions);
  seal_->integers(14, partitions);
  seal_->integers(15, ranks);
  seal_->integers(16, deleted);
}

std::vector<StoredEvent> PostgresBooks::sealed() {
  if (!seal_) return {};
  std::map<std::int64_t, std::int64_t> newest;
  while (seal_->next()) newest[seal_->integer(0)] = seal_->integer(1);
  for (std::size_t i = 0; i < events_.size(); ++i)
    events_[i].id.position = static_cast<std::uint64_t>(newest.at(partition_of_[i]) - rank_of_[i]);
  seal_ = nullptr;
  return std::exchange(events_, {});
}

}  // namespace freehold
