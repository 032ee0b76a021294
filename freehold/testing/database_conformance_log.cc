// SPDX-License-Identifier: Apache-2.0
//
// The log: dense positions in commit order, stamps, what is kept and what is cut.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <thread>

#include "freehold/base/errors.h"
#include "freehold/base/hash.h"
#include "freehold/testing/database_conformance.h"
#include "freehold/testing/log_order.h"

namespace freehold {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

constexpr std::size_t no_limit = std::size_t{1} << 30;

std::uint32_t partition_of(std::string_view key) {
  return static_cast<std::uint32_t>(fnv1a(key) % 4);
}

std::vector<std::uint64_t> positions(const std::vector<StoredEvent>& events) {
  std::vector<std::uint64_t> positions;
  positions.reserve(events.size());
  for (const StoredEvent& event : events) positions.push_back(event.id.position);
  return positions;
}

std::vector<std::string> bodies(const std::vector<StoredEvent>& events) {
  std::vector<std::string> bodies;
  bodies.reserve(events.size());
  for (const StoredEvent& event : events) bodies.push_back(event.json);
  return bodies;
}

// Reads all partitions of the log again and again, each from where it stands, until it is told that
// the writers have ended and has then reached every head.
std::vector<LogReading> read_until(Database& database, std::uint32_t partitions,
                                   const std::string& reader,
                                   const std::atomic<bool>& writers_ended) {
  std::vector<LogReading> readings;
  std::vector<std::uint64_t> at(partitions);
  for (bool last = false; !last;) {
    last = writers_ended;
    for (std::uint32_t partition = 0; partition < partitions; ++partition) {
      LogReading reading;
      reading.reader = reader;
      reading.partition = partition;
      reading.after = at[partition];
      EXPECT_TRUE(database.read_now([&](SqlTransaction& transaction) {
        reading.events.clear();
        for (const StoredEvent& event :
             transaction.books().events_after(partition, reading.after, no_limit, no_limit))
          reading.events.push_back(event.id);
        reading.head = transaction.books().head(partition).last;
      }));
      if (!reading.events.empty()) at[partition] = reading.events.back().position;
      readings.push_back(std::move(reading));
    }
  }
  return readings;
}

TEST_P(DatabaseConformance, readers_beside_many_writers_never_see_a_gap_or_an_order_undone) {
  constexpr int writers = 4, rounds = 40, readers = 2;
  std::atomic<bool> writers_ended = false;
  std::atomic<std::uint64_t> kept = 0;
  std::vector<std::vector<LogReading>> seen(readers);
  {
    std::vector<std::thread> reading;
    reading.reserve(readers);
    for (int r = 0; r < readers; ++r)
      reading.emplace_back([&, r] {
        seen[static_cast<std::size_t>(r)] =
            read_until(database(), log_partitions, "reader " + std::to_string(r), writers_ended);
      });
    std::vector<std::thread> writing;
    writing.reserve(writers);
    for (int w = 0; w < writers; ++w)
      writing.emplace_back([&, w] {
        for (int round = 0; round < rounds; ++round) {
          const int events = 1 + (w + round) % 3;
          const Result<> outcome = write([=](SqlTransaction& transaction) -> Result<> {
            for (int e = 0; e < events; ++e)
              transaction.append(plain_event(std::to_string((w * 7 + round * 3 + e) % 11), round));
            if (round % 5 == 4) return errors::precondition_failed;
            return {};
          });
          if (outcome) kept += static_cast<std::uint64_t>(events);
        }
      });
    for (std::thread& thread : writing) thread.join();
    writers_ended = true;
    for (std::thread& thread : reading) thread.join();
  }

  std::vector<LogReading> all;
  for (auto& readings : seen) std::ranges::move(readings, std::back_inserter(all));
  EXPECT_THAT(breaches_of_order(all), IsEmpty());
  EXPECT_THAT(breaches_of_commits(commits()), IsEmpty());

  std::uint64_t heads = 0;
  for (std::uint32_t partition = 0; partition < log_partitions; ++partition)
    heads += in_books([=](Books& books) { return books.head(partition).last.position; });
  EXPECT_EQ(heads, kept) << "undone events had positions, or others had none";
  EXPECT_GT(heads, 0U);
}

TEST_P(DatabaseConformance, a_batch_has_one_stamp_and_the_order_in_which_it_was_submitted) {
  std::vector<Body> batch;
  batch.reserve(20);
  for (int i = 0; i < 20; ++i)
    batch.emplace_back([i](SqlTransaction& transaction) -> Result<> {
      transaction.append(plain_event("same", i));
      if (i % 4 == 3) return errors::precondition_failed;
      return {};
    });
  write_together(batch);
  append({plain_event("same", 100)});

  ASSERT_EQ(commits().size(), 2U) << "the bodies were not committed together";
  EXPECT_THAT(breaches_of_commits(commits()), IsEmpty());
  std::vector<std::string> expected;
  for (int i = 0; i < 20; ++i)
    if (i % 4 != 3) expected.push_back("\"n\":" + std::to_string(i));
  EXPECT_EQ(bodies(appended()[0]), expected);
}

TEST_P(DatabaseConformance, events_of_one_partition_key_lie_in_one_partition_in_order) {
  std::vector<NewEvent> events;
  for (int i = 0; i < 30; ++i) {
    events.push_back(plain_event("subject " + std::to_string(i), i));
    events.back().partition_key = "key " + std::to_string(i % 10);
  }
  const auto stored = append(events);
  std::map<std::uint32_t, int> used;
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(stored[i].id.partition, partition_of(events[i].partition_key));
    ++used[stored[i].id.partition];
  }
  EXPECT_GT(used.size(), 1U);
  events[0].partition_key.clear();
  EXPECT_EQ(append({events[0]}).at(0).id.partition, partition_of(events[0].subject));
}

TEST_P(DatabaseConformance, an_event_comes_back_as_it_was_appended) {
  NewEvent event = plain_event("a");
  event.recipient = "product";
  event.json = "\"text\":\"ü 'quoted' \\\\ \"";
  const StoredEvent stored = append({event}).at(0);
  const auto found = in_books(
      [&](Books& books) { return books.events_after(stored.id.partition, 0, 10, no_limit); });
  ASSERT_EQ(found.size(), 1U);
  EXPECT_EQ(found[0].id, stored.id);
  EXPECT_EQ(found[0].type, event.type);
  EXPECT_EQ(found[0].recipient, event.recipient);
  EXPECT_EQ(found[0].json, event.json);
}

TEST_P(DatabaseConformance, a_page_of_events_ends_with_its_number_or_its_bytes) {
  std::vector<NewEvent> events(250, plain_event("a"));
  for (NewEvent& event : events) event.json = std::string(100, ' ');
  append(events);
  const std::uint32_t partition = partition_of("a");
  const auto page = [&](std::uint64_t after, std::size_t events_max, std::size_t bytes_max) {
    return positions(in_books(
        [&](Books& books) { return books.events_after(partition, after, events_max, bytes_max); }));
  };
  EXPECT_THAT(page(0, 2, no_limit), ElementsAre(1, 2));
  EXPECT_THAT(page(248, 10, no_limit), ElementsAre(249, 250));
  EXPECT_THAT(page(250, 10, no_limit), IsEmpty());
  EXPECT_EQ(page(0, no_limit, no_limit).size(), 250U);
  EXPECT_EQ(page(0, no_limit, 15'001).size(), 151U);
  EXPECT_THAT(page(0, no_limit, 1), ElementsAre(1)) << "a reader must always get on";
}

TEST_P(DatabaseConformance, the_stamp_of_a_place_is_known_as_long_as_the_place_is) {
  const auto events = append({plain_event("a"), plain_event("a"), plain_event("a")});
  const EventId second = events.at(1).id;
  const auto stamp = [&](std::uint64_t position) {
    return in_books(
        [&](Books& books) { return books.standing_at(second.partition, position).stamp; });
  };
  EXPECT_EQ(stamp(0), 0U);
  EXPECT_EQ(stamp(1), events[0].id.stamp);
  EXPECT_EQ(stamp(4), std::nullopt);

  EXPECT_EQ(in_books([&](Books& books) { return books.cut(second.partition, 2, 100); }), 2U);
  EXPECT_EQ(stamp(1), std::nullopt);
  EXPECT_EQ(stamp(2), second.stamp) << "a cursor at the low-water mark cannot be checked";
  EXPECT_EQ(stamp(3), events[2].id.stamp);
  for (const Head& head :
       {in_books([&](Books& books) { return books.head(second.partition); }),
        in_books([&](Books& books) { return books.standing_at(second.partition, 3).head; })}) {
    EXPECT_EQ(head.low, second);
    EXPECT_EQ(head.last, events[2].id);
  }
}

TEST_P(DatabaseConformance, a_log_that_is_cut_to_its_head_goes_on_from_there) {
  const auto events = append({plain_event("a"), plain_event("a")});
  const std::uint32_t partition = events.at(0).id.partition;
  EXPECT_EQ(in_books([&](Books& books) { return books.cut(partition, 1'000'000, 100); }), 2U);
  EXPECT_EQ(in_books([&](Books& books) { return books.cut(partition, 1'000'000, 100); }), 0U);
  EXPECT_EQ(append({plain_event("a")}).at(0).id.position, 3U);
  EXPECT_EQ(in_books([&](Books& books) { return books.standing_at(partition, 2).stamp; }),
            events[1].id.stamp);
}

TEST_P(DatabaseConformance, a_cut_goes_in_pieces_and_leaves_the_latest_states) {
  std::vector<NewEvent> events;
  for (int i = 1; i <= 5; ++i) {
    events.push_back(plain_event("a", i));
    events.push_back(state_event("a", i));
  }
  append(events);
  const std::uint32_t partition = partition_of("a");
  std::size_t deleted = 0, pieces = 0;
  while (in_books([&](Books& books) { return books.head(partition).low.position; }) < 10) {
    deleted += in_books([&](Books& books) { return books.cut(partition, 10, 3); });
    ASSERT_LT(++pieces, 10U);
  }
  EXPECT_EQ(pieces, 4U);
  EXPECT_EQ(deleted, 9U);
  const auto left =
      in_books([&](Books& books) { return books.events_after(partition, 0, no_limit, no_limit); });
  EXPECT_THAT(bodies(left), ElementsAre("\"version\":5"));
}

std::map<std::string, std::string> states_in(Books& books) {
  std::map<std::string, std::string> states;
  std::string after;
  for (;;) {
    const auto page = books.states_after("test.state", after, 2);
    for (const SubjectState& state : page) states[state.subject] = state.json;
    if (page.empty()) return states;
    after = page.back().subject;
  }
}

using States = std::map<std::string, std::string>;

TEST_P(DatabaseConformance,
       the_states_are_the_latest_of_each_living_subject_before_and_after_a_cut) {
  append({state_event("a", 1), state_event("b", 1), state_event("c", 1), state_event("d", 1),
          state_event("e", 1)});
  append({state_event("a", 2), state_event("c", 2, true), state_event("d", 3)});
  append({state_event("d", 2)});  // older: it never replaces a newer
  NewEvent other = state_event("z", 1);
  other.type = "test.other.v1";
  append({other});

  const States expected{{"a", "\"version\":2"},
                        {"b", "\"version\":1"},
                        {"d", "\"version\":3"},
                        {"e", "\"version\":1"}};
  EXPECT_EQ(in_books(states_in), expected);
  for (std::uint32_t partition = 0; partition < log_partitions; ++partition)
    in_books([&](Books& books) { return books.cut(partition, no_limit, no_limit); });
  EXPECT_EQ(in_books(states_in), expected);

  append({state_event("a", 3), state_event("b", 2, true)});
  const States later{{"a", "\"version\":3"}, {"d", "\"version\":3"}, {"e", "\"version\":1"}};
  EXPECT_EQ(in_books(states_in), later);
}

TEST_P(DatabaseConformance, a_state_of_another_version_of_its_type_replaces_the_one_before) {
  append({state_event("a", 1)});
  NewEvent newer = state_event("a", 2);
  newer.type = "test.state.v2";
  append({newer});
  EXPECT_EQ(in_books(states_in), (States{{"a", "\"version\":2"}}));
}

// Below the low-water mark lie only events that are somebody's latest state.
TEST_P(DatabaseConformance, a_state_that_is_replaced_behind_the_cut_is_deleted) {
  const std::uint32_t partition =
      append({state_event("a", 1), state_event("b", 1)})[0].id.partition;
  const auto left = [&] {
    return bodies(in_books(
        [&](Books& books) { return books.events_after(partition, 0, no_limit, no_limit); }));
  };
  in_books([&](Books& books) { return books.cut(partition, no_limit, no_limit); });
  EXPECT_THAT(left(), testing::Contains("\"version\":1"));
  append({state_event("a", 2)});
  in_books([&](Books& books) { return books.cut(partition, no_limit, no_limit); });
  append({state_event("a", 3, true)});
  EXPECT_THAT(left(), testing::Contains("\"version\":3"));
  EXPECT_THAT(left(), Not(testing::Contains("\"version\":2")));
  in_books([&](Books& books) { return books.cut(partition, no_limit, no_limit); });
  EXPECT_THAT(left(), Not(testing::Contains("\"version\":3")))
      << "of a deleted subject nothing is left";
}

// A moment that lies after all before it and before all after it, also in microseconds.
Time between() {
  const Time before = now();
  Time between = before;
  while (between == before) between = now();
  while (now() == between) {
  }
  return between;
}

TEST_P(DatabaseConformance, the_last_position_before_a_time_is_found) {
  const std::uint32_t partition = partition_of("a");
  const auto before = [&](Time time) {
    return in_books([&](Books& books) { return books.position_before(partition, time); });
  };
  EXPECT_EQ(before(now()), 0U);
  std::vector<Time> times;
  for (int i = 0; i < 5; ++i) {
    times.push_back(between());
    append({plain_event("a"), plain_event("a")});
  }
  for (std::size_t i = 0; i < times.size(); ++i) EXPECT_EQ(before(times[i]), 2 * i);
  EXPECT_EQ(before(between()), 10U);
  in_books([&](Books& books) { return books.cut(partition, 3, 100); });
  EXPECT_EQ(before(times[0]), 3U) << "nothing is known below the low-water mark";
  EXPECT_EQ(before(times[3]), 6U);
}

TEST_P(DatabaseConformance, readers_are_registered_once_a_partition_and_forgotten_whole) {
  const auto note = [&](std::string consumer, std::uint32_t partition, std::uint64_t position) {
    in_books([&](Books& books) {
      books.note_reader({.service = "order",
                         .consumer = consumer,
                         .partition = partition,
                         .acknowledged = {partition, position, 7},
                         .seen = now()});
    });
  };
  note("commands", 0, 1);
  note("commands", 1, 5);
  note("commands", 0, 3);
  note("replica", 0, 2);
  const auto readers = in_books([](Books& books) { return books.readers(); });
  ASSERT_EQ(readers.size(), 3U);
  EXPECT_EQ(readers[0].acknowledged, (EventId{0, 3, 7}));
  EXPECT_EQ(readers[1].acknowledged, (EventId{1, 5, 7}));
  EXPECT_EQ(readers[2].consumer, "replica");
  EXPECT_EQ(in_books([](Books& books) { return books.lock_readers(); }).size(), 3U);
  in_books([](Books& books) { books.forget_reader("order", "commands"); });
  EXPECT_EQ(in_books([](Books& books) { return books.readers(); }).size(), 1U);
}

// Two instances hear of it at different times, and note it when they come to it.
TEST_P(DatabaseConformance, what_was_heard_of_a_reader_last_counts) {
  const Time moment = now();
  const auto note = [&](std::uint64_t position, Time seen) {
    in_books([&](Books& books) {
      books.note_reader({.service = "order",
                         .consumer = "commands",
                         .partition = 0,
                         .acknowledged = {0, position, 7},
                         .seen = seen});
    });
    return in_books([](Books& books) { return books.readers().at(0).acknowledged.position; });
  };
  using std::chrono::seconds;
  EXPECT_EQ(note(5, moment), 5U);
  EXPECT_EQ(note(4, moment - seconds{1}), 5U);
  EXPECT_EQ(note(2, moment + seconds{1}), 2U) << "it may return to a common place";
}

}  // namespace
}  // namespace freehold
