// SPDX-License-Identifier: Apache-2.0
//
// Consumers: cursors and their fences, leases, waypoints, tries, and set-aside events.
#include <gmock/gmock.h>

#include <atomic>
#include <thread>

#include "freehold/base/errors.h"
#include "freehold/testing/database_conformance.h"

namespace freehold {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr EventId start{2, 0, 0};
constexpr EventId first{2, 5, 11};
constexpr EventId second{2, 9, 12};

Time at(std::int64_t second_of_day) {
  return Time{} + hours{24 * 20000} + seconds{second_of_day};
}

void begin(Books& books, std::string_view consumer) {
  books.begin_cursor(consumer, start.partition, {.at = start, .log_id = "log"});
}

TEST_P(DatabaseConformance, a_cursor_is_where_it_was_put_and_then_where_it_was_moved) {
  in_books([](Books& books) {
    EXPECT_EQ(books.cursor("replica", 2), std::nullopt);
    const auto epoch = books.take_lease("replica", "a", hours{1});
    begin(books, "replica");
    EXPECT_TRUE(books.move_cursor("replica", start, first, epoch.value()));
    EXPECT_TRUE(books.move_cursor("replica", first, second, *epoch));
  });
  reopen();
  const auto cursor = in_books([](Books& books) { return books.cursor("replica", 2); });
  ASSERT_TRUE(cursor);
  EXPECT_EQ(cursor->at, second);
  EXPECT_EQ(cursor->log_id, "log");
  EXPECT_EQ(in_books([](Books& books) { return books.cursor("replica", 1); }), std::nullopt);
  EXPECT_EQ(in_books([](Books& books) { return books.cursor("other", 2); }), std::nullopt);
}

TEST_P(DatabaseConformance, a_cursor_does_not_move_from_where_it_is_not) {
  in_books([](Books& books) {
    const auto epoch = books.take_lease("replica", "a", hours{1}).value();
    begin(books, "replica");
    EXPECT_TRUE(books.move_cursor("replica", start, first, epoch));
    EXPECT_FALSE(books.move_cursor("replica", start, first, epoch)) << "moved twice";
    EXPECT_FALSE(books.move_cursor("replica", {2, 4, 11}, second, epoch)) << "another position";
    EXPECT_FALSE(books.move_cursor("replica", {2, 5, 99}, second, epoch)) << "another stamp";
    EXPECT_FALSE(books.move_cursor("other", first, second, epoch)) << "no such consumer";
    EXPECT_EQ(books.cursor("replica", 2)->at, first);
  });
}

TEST_P(DatabaseConformance, an_owner_that_was_replaced_cannot_move_the_cursor) {
  in_books([](Books& books) {
    begin(books, "replica");
    EXPECT_FALSE(books.move_cursor("replica", start, first, 1)) << "there is no lease";
    const auto old_epoch = books.take_lease("replica", "a", -seconds{1}).value();
    const auto new_epoch = books.take_lease("replica", "b", hours{1}).value();
    EXPECT_GT(new_epoch, old_epoch);
    EXPECT_FALSE(books.move_cursor("replica", start, first, old_epoch));
    EXPECT_TRUE(books.move_cursor("replica", start, first, new_epoch));
  });
}

// Two owners believe in the same cursor. Each of their moves carries an effect; it must count once.
TEST_P(DatabaseConformance, a_cursor_and_its_effect_are_moved_once_by_whoever_is_first) {
  std::uint64_t epoch = 0;
  in_books([&](Books& books) {
    begin(books, "replica");
    epoch = books.take_lease("replica", "a", hours{1}).value();
  });
  std::atomic<int> moved = 0;
  {
    std::vector<std::thread> owners;
    owners.reserve(4);
    for (int owner = 0; owner < 4; ++owner)
      owners.emplace_back([&] {
        for (std::uint64_t position = 0; position < 20; ++position) {
          const Result<> outcome = write([&, position](SqlTransaction& transaction) -> Result<> {
            const EventId from{2, position, position == 0 ? 0U : 7U};
            const EventId to{2, position + 1, 7};
            if (!transaction.books().move_cursor("replica", from, to, epoch))
              return errors::precondition_failed;
            transaction.append(plain_event("effect"));
            return {};
          });
          if (outcome) ++moved;
        }
      });
    for (std::thread& owner : owners) owner.join();
  }
  EXPECT_EQ(in_books([](Books& books) { return books.cursor("replica", 2)->at.position; }), 20U);
  EXPECT_EQ(moved, 20);
  std::size_t effects = 0;
  for (const auto& commit : commits()) effects += commit.size();
  EXPECT_EQ(effects, 20U);
}

TEST_P(DatabaseConformance, a_lease_is_kept_by_its_owner_and_taken_by_another_when_it_has_ended) {
  in_books([](Books& books) {
    const auto epoch = books.take_lease("name", "a", hours{1});
    ASSERT_TRUE(epoch);
    EXPECT_EQ(books.take_lease("name", "a", hours{2}), epoch) << "a renewal";
    EXPECT_EQ(books.take_lease("name", "b", hours{2}), std::nullopt);
    EXPECT_TRUE(books.take_lease("other name", "b", hours{1}));
    EXPECT_EQ(books.take_lease("name", "a", -seconds{1}), epoch);
    EXPECT_EQ(books.take_lease("name", "b", hours{1}), *epoch + 1);
    EXPECT_EQ(books.take_lease("name", "a", hours{1}), std::nullopt);
  });
}

TEST_P(DatabaseConformance, of_owners_that_race_for_a_lease_one_gets_it) {
  std::atomic<int> got = 0;
  std::vector<std::thread> owners;
  owners.reserve(4);
  for (int owner = 0; owner < 4; ++owner)
    owners.emplace_back([&, owner] {
      if (in_books([=](Books& books) {
            return books.take_lease("name", "owner " + std::to_string(owner), hours{1});
          }))
        ++got;
    });
  for (std::thread& owner : owners) owner.join();
  EXPECT_EQ(got, 1);
}

TEST_P(DatabaseConformance, one_waypoint_a_minute_is_kept_for_a_week) {
  in_books([](Books& books) {
    books.note_waypoint("replica", {2, 1, 7}, at(0));
    books.note_waypoint("replica", {2, 2, 7}, at(59));
    books.note_waypoint("replica", {2, 3, 8}, at(60));
    books.note_waypoint("replica", {1, 9, 9}, at(0));
  });
  EXPECT_THAT(in_books([](Books& books) { return books.waypoints("replica", 2); }),
              ElementsAre(EventId{2, 3, 8}, EventId{2, 1, 7}));
  EXPECT_THAT(in_books([](Books& books) { return books.waypoints("other", 2); }), IsEmpty());

  in_books([](Books& books) { books.note_waypoint("replica", {2, 9, 9}, at(7 * 24 * 3600)); });
  EXPECT_THAT(in_books([](Books& books) { return books.waypoints("replica", 2); }),
              ElementsAre(EventId{2, 9, 9}, EventId{2, 3, 8}));
}

TEST_P(DatabaseConformance, tries_are_counted_for_one_event_of_one_history) {
  in_books([](Books& books) {
    EXPECT_EQ(books.tries("replica", first), 0);
    books.note_try("replica", first);
    books.note_try("replica", first);
    books.note_try("other", first);
    EXPECT_EQ(books.tries("replica", first), 2);
    EXPECT_EQ(books.tries("replica", {first.partition, first.position, 99}), 0);
    books.forget_tries("replica");
    EXPECT_EQ(books.tries("replica", first), 0);
    EXPECT_EQ(books.tries("other", first), 1);
  });
}

AsideEvent aside(std::string key, std::uint64_t position, Time next_try) {
  return {.consumer = "commands",
          .key = std::move(key),
          .id = {0, position, 7},
          .json = "{\"n\":" + std::to_string(position) + "}",
          .attempts = 1,
          .next_try = next_try,
          .parked = false,
          .why = "a fault"};
}

std::vector<std::uint64_t> positions(const std::vector<AsideEvent>& events) {
  std::vector<std::uint64_t> positions;
  positions.reserve(events.size());
  for (const AsideEvent& event : events) positions.push_back(event.id.position);
  return positions;
}

TEST_P(DatabaseConformance, set_aside_events_come_back_whole_and_in_the_order_of_the_log) {
  in_books([](Books& books) {
    books.set_aside(aside("k", 10, at(0)));
    books.set_aside(aside("k", 9, at(0)));
    books.set_aside(aside("k", 100, at(0)));
    books.set_aside(aside("j", 11, at(0)));
    AsideEvent again = aside("k", 9, at(0));
    again.attempts = 99;
    books.set_aside(again);
    EXPECT_THAT(books.aside_keys("commands"), ElementsAre("j", "k"));
    EXPECT_THAT(books.aside_keys("other"), IsEmpty());
    EXPECT_THAT(positions(books.aside_all(10)), ElementsAre(11, 9, 10, 100));
    EXPECT_EQ(books.aside_all(2).size(), 2U);

    const auto events = books.aside_of("commands", "k");
    EXPECT_THAT(positions(events), ElementsAre(9, 10, 100));
    EXPECT_EQ(events[0].consumer, "commands");
    EXPECT_EQ(events[0].key, "k");
    EXPECT_EQ(events[0].id, (EventId{0, 9, 7}));
    EXPECT_EQ(events[0].json, "{\"n\":9}");
    EXPECT_EQ(events[0].attempts, 1);
    EXPECT_EQ(events[0].next_try, at(0));
    EXPECT_EQ(events[0].why, "a fault");
  });
}

TEST_P(DatabaseConformance, only_the_first_event_of_a_key_is_ever_due) {
  in_books([](Books& books) {
    books.set_aside(aside("later", 1, at(20)));
    books.set_aside(aside("later", 2, at(0)));
    books.set_aside(aside("sooner", 3, at(10)));
    EXPECT_THAT(books.aside_due("commands", at(9), 10), IsEmpty());
    EXPECT_THAT(positions(books.aside_due("commands", at(10), 10)), ElementsAre(3));
    EXPECT_THAT(positions(books.aside_due("commands", at(20), 10)), ElementsAre(3, 1));
    EXPECT_THAT(positions(books.aside_due("commands", at(20), 1)), ElementsAre(3));
    EXPECT_THAT(books.aside_due("other", at(20), 10), IsEmpty());
    EXPECT_EQ(books.next_aside_try("commands"), at(10));

    books.drop_aside(aside("later", 1, at(0)));
    EXPECT_EQ(books.next_aside_try("commands"), at(0)) << "the next of the key follows";
    EXPECT_THAT(positions(books.aside_due("commands", at(0), 10)), ElementsAre(2));
    books.drop_aside(aside("later", 2, at(0)));
    EXPECT_THAT(books.aside_keys("commands"), ElementsAre("sooner"));
  });
}

TEST_P(DatabaseConformance, a_parked_event_holds_its_key_until_a_person_lets_it_go) {
  in_books([](Books& books) {
    books.set_aside(aside("k", 1, at(0)));
    books.set_aside(aside("k", 2, at(0)));
    AsideEvent parked = aside("k", 1, at(5));
    parked.attempts = 10;
    parked.parked = true;
    parked.why = "again";
    books.update_aside(parked);
    EXPECT_THAT(books.aside_due("commands", at(100), 10), IsEmpty());
    EXPECT_EQ(books.next_aside_try("commands"), std::nullopt);
    const AsideEvent kept = books.aside_of("commands", "k").at(0);
    EXPECT_TRUE(kept.parked);
    EXPECT_EQ(kept.attempts, 10);
    EXPECT_EQ(kept.why, "again");

    parked.parked = false;
    books.update_aside(parked);
    EXPECT_THAT(positions(books.aside_due("commands", at(5), 10)), ElementsAre(1));
  });
}

TEST_P(DatabaseConformance, what_is_not_set_aside_any_more_is_neither_kept_nor_dropped) {
  in_books([](Books& books) {
    books.set_aside(aside("k", 1, at(0)));
    EXPECT_TRUE(books.update_aside(aside("k", 1, at(5))));
    EXPECT_TRUE(books.drop_aside(aside("k", 1, at(0))));
    EXPECT_FALSE(books.update_aside(aside("k", 1, at(5))));
    EXPECT_FALSE(books.drop_aside(aside("k", 1, at(0))));
    EXPECT_THAT(books.aside_keys("commands"), IsEmpty());
  });
}

TEST_P(DatabaseConformance, documents_are_replaced_by_name) {
  in_books([](Books& books) {
    EXPECT_EQ(books.document("keys"), std::nullopt);
    books.put_document("keys", "one");
    books.put_document("keys", "two");
    books.put_document("other", "three");
  });
  reopen();
  EXPECT_EQ(in_books([](Books& books) { return books.document("keys"); }), "two");
}

}  // namespace
}  // namespace freehold
