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

// Two writers that move several heads lock them in one order, so they never wait in a circle.
constexpr std::string_view lock_heads =
    "select partition from freehold_head where partition = any($1) order by partition for update";
constexpr std::string_view move_heads_by =
    "update freehold_head h set position = h.position + n.events, stamp = $3, "
    "appended = greatest(h.appended, $4) from unnest($1, $2) as n (partition, events) "
    "where h.partition = n.partition returning h.partition, h.position";
constexpr std::string_view insert_behind_heads =
    "insert into freehold_event (place, stamp, appended, type, recipient, subject, json) "
    "select n.partition << 48 | (h.position - n.rank), h.stamp, h.appended, n.type, n.recipient, "
    "n.subject, n.json from unnest($1, $2, $3, $4, $5, $6) "
    "as n (partition, rank, type, recipient, subject, json) "
    "join freehold_head h on h.partition = n.partition";

// Retention has left an event at or below low only because it was its subject's latest state.
constexpr std::string_view drop_replaced_behind_the_cut =
    "delete from freehold_event e using unnest($1, $2, $3) as n (family, subject, version), "
    "freehold_state s, freehold_head h where s.family = n.family and s.subject = n.subject "
    "and s.version < n.version and e.place = s.place and h.partition = s.place >> 48 "
    "and (s.place & 281474976710655) <= h.low_position";
constexpr std::string_view keep_newer_states =
    "insert into freehold_state as s (family, subject, version, place, deleted) "
    "select n.family, n.subject, n.version, n.partition << 48 | (h.position - n.rank), n.deleted "
    "from unnest($1, $2, $3, $4, $5, $6) "
    "as n (family, subject, version, partition, rank, deleted) "
    "join freehold_head h on h.partition = n.partition order by n.family, n.subject "
    "on conflict (family, subject) do update set version = excluded.version, "
    "place = excluded.place, deleted = excluded.deleted where excluded.version > s.version";

static_assert(internal::position_bits == 48);

std::int64_t microseconds(Time time) {
  return time.time_since_epoch().count();
}

}  // namespace

PostgresStatement& PostgresBooks::statement(std::string_view text) {
  return static_cast<PostgresStatement&>(transaction_.statement(text));
}

// Die before the commit: neither events nor positions are there. After it: both are, and every
// position up to the head has its event.
void PostgresBooks::seal(std::span<const NewEvent> events) {
  events_.clear();
  heads_ = nullptr;
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
  move_heads(partitions);
  FREEHOLD_CRASH_POINT("log.after_heads_sent");
  insert_events(events);
  keep_states(events);
}

void PostgresBooks::move_heads(std::uint32_t partitions) {
  std::vector<std::int64_t> moved, by(partitions);
  for (const std::uint32_t partition : partition_of_) ++by[partition];
  for (std::uint32_t partition = 0; partition < partitions; ++partition)
    if (by[partition] > 0) moved.push_back(partition);
  std::erase(by, 0);
  if (moved.size() > 1) {
    PostgresStatement& lock = statement(lock_heads);
    lock.integers(1, moved);
    lock.send();
  }
  PostgresStatement& move = statement(move_heads_by);
  move.integers(1, moved);
  move.integers(2, by);
  move.integer(3, column_of_bits(events_.front().id.stamp));
  move.integer(4, microseconds(now()));
  move.send_to_read();
  heads_ = &move;
}

void PostgresBooks::insert_events(std::span<const NewEvent> events) {
  using Texts = std::vector<std::optional<std::string_view>>;
  Texts types, recipients, subjects, jsons;
  for (const NewEvent& event : events) {
    types.emplace_back(event.type);
    recipients.emplace_back(event.recipient);
    subjects.emplace_back(event.state_version > 0 ? std::optional<std::string_view>{event.subject}
                                                  : std::nullopt);
    jsons.emplace_back(event.json);
  }
  PostgresStatement& insert = statement(insert_behind_heads);
  insert.integers(1, std::vector<std::int64_t>{partition_of_.begin(), partition_of_.end()});
  insert.integers(2, rank_of_);
  insert.texts(3, types);
  insert.texts(4, recipients);
  insert.texts(5, subjects);
  insert.texts(6, jsons);
  insert.send();
}

// Of each subject the newest version of the batch, the first of equal ones.
void PostgresBooks::keep_states(std::span<const NewEvent> events) {
  std::map<std::pair<std::string_view, std::string_view>, std::size_t> newest;
  for (std::size_t i = 0; i < events.size(); ++i) {
    if (events[i].state_version <= 0) continue;
    const auto [kept, is_new] =
        newest.try_emplace({family_of(events[i].type), events[i].subject}, i);
    if (!is_new && events[i].state_version > events[kept->second].state_version) kept->second = i;
  }
  if (newest.empty()) return;

  std::vector<std::optional<std::string_view>> families, subjects;
  std::vector<std::int64_t> versions, partitions, ranks, deleted;
  for (const auto& [subject, i] : newest) {
    families.emplace_back(subject.first);
    subjects.emplace_back(subject.second);
    versions.push_back(events[i].state_version);
    partitions.push_back(partition_of_[i]);
    ranks.push_back(rank_of_[i]);
    deleted.push_back(events[i].deleted ? 1 : 0);
  }
  PostgresStatement& drop = statement(drop_replaced_behind_the_cut);
  drop.texts(1, families);
  drop.texts(2, subjects);
  drop.integers(3, versions);
  drop.send();
  PostgresStatement& keep = statement(keep_newer_states);
  keep.texts(1, families);
  keep.texts(2, subjects);
  keep.integers(3, versions);
  keep.integers(4, partitions);
  keep.integers(5, ranks);
  keep.integers(6, deleted);
  keep.send();
}

std::vector<StoredEvent> PostgresBooks::sealed() {
  if (!heads_) return {};
  std::map<std::int64_t, std::int64_t> newest;
  while (heads_->next()) newest[heads_->integer(0)] = heads_->integer(1);
  for (std::size_t i = 0; i < events_.size(); ++i)
    events_[i].id.position = static_cast<std::uint64_t>(newest.at(partition_of_[i]) - rank_of_[i]);
  heads_ = nullptr;
  return std::exchange(events_, {});
}

}  // namespace freehold
