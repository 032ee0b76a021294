// SPDX-License-Identifier: Apache-2.0
//
// What a consumer promises while all goes well: each event once, in order, whoever stops and
// starts.
#include "freehold/events/consumer_loop.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/events/test_counting.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class ConsumerLoopTest : public CountingTest {};

std::vector<std::int64_t> from_to(std::int64_t first, std::int64_t last) {
  std::vector<std::int64_t> numbers;
  for (auto number = first; number <= last; ++number) numbers.push_back(number);
  return numbers;
}

TEST_F(ConsumerLoopTest, applies_each_event_once_in_order) {
  count("red", 1, 700);  // more than one batch
  ConsumerLoop& loop = keep_counting();
  ASSERT_TRUE(comes_true([&] { return kept_count() == 700; }));
  count("red", 701, 900);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 900; }));
  EXPECT_EQ(numbers("red"), from_to(1, 900));
  ASSERT_TRUE(comes_true([&] { return loop.status().lag() == 0; }));
  const ConsumerStatus status = loop.status();
  EXPECT_EQ(status.state, ConsumerState::running);
  EXPECT_EQ(status.applied, 900U);
  EXPECT_EQ(status.report, "");
}

TEST_F(ConsumerLoopTest, goes_on_where_it_stopped) {
  ConsumerLoop& loop = keep_counting();
  count("red", 1, 10);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 10; }));
  keeper_->wait_for(loop.stop());
  EXPECT_EQ(loop.status().state, ConsumerState::stopped);
  count("red", 11, 20);
  start_keeper();
  keep_counting();
  ASSERT_TRUE(comes_true([&] { return kept_count() >= 20; }));
  EXPECT_EQ(numbers("red"), from_to(1, 20));
}

Task<bool> start_now(ConsumerLoop* loop) {
  loop->start();
  co_return true;
}

Task<bool> one_turn() {
  co_return true;
}

// Whoever stops it may do so while it still reads its notes, its lease or its cursors.
TEST_F(ConsumerLoopTest, stops_at_any_moment_of_its_beginning) {
  ConsumerLoop& loop = keep_counting();
  for (int turns = 0; turns < 100; ++turns) {
    keeper_->wait_for(loop.stop());
    ASSERT_EQ(loop.status().state, ConsumerState::stopped);
    keeper_->wait_for(start_now(&loop));
    for (int i = 0; i < turns; ++i) keeper_->wait_for(one_turn());
  }
}

// The cursor and the effects are one: where the cursor stands, just so many effects are there.
TEST_F(ConsumerLoopTest, moves_its_cursor_with_the_effects) {
  keep_counting();
  for (int i = 1; i <= 200; ++i) {
    count("red", i, i);
    const auto [position, rows] =
        keeper_->read<std::pair<std::uint64_t, std::size_t>>([](SqlTransaction& transaction) {
          constexpr sql::Query<std::int64_t()> row_count{"select count(*) from kept"};
          const auto cursor = transaction.books().cursor("keeping@counter", 0);
          return std::pair{cursor ? cursor->at.position : 0,
                           static_cast<std::size_t>(*transaction.first(row_count))};
        });
    ASSERT_EQ(position, rows);
  }
  ASSERT_TRUE(comes_true([&] { return kept_count() == 200; }));
}

TEST_F(ConsumerLoopTest, reads_every_partition_of_the_log) {
  partitions_ = 4;
  counter_.reset();
  std::filesystem::remove_all(directory_.path() / "counter");
  start_counter();
  ConsumerLoop& loop = keep_counting();
  for (int box = 0; box < 16; ++box) count("box" + std::to_string(box), 1, 5);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 80; }));
  for (int box = 0; box < 16; ++box) EXPECT_EQ(numbers("box" + std::to_string(box)), from_to(1, 5));
  EXPECT_EQ(loop.status().partitions.size(), 4U);
}

TEST_F(ConsumerLoopTest, begins_with_what_happens_from_now_on) {
  count("red", 1, 5);
  keeper_->consume(keeping(BeginAt::now), counter_->address());
  ASSERT_TRUE(comes_true([&] {
    return keeper_->read<bool>(
        [](SqlTransaction& t) { return t.books().cursor("keeping@counter", 0).has_value(); });
  }));
  count("red", 6, 8);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  EXPECT_EQ(numbers("red"), from_to(6, 8));
}

TEST_F(ConsumerLoopTest, begins_with_the_latest_states_and_what_follows) {
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    for (std::int64_t version = 1; version <= 3; ++version)
      for (const char* box : {"a", "b", "c"})
        append(transaction, CounterState{box, version * 10, version});
    return {};
  }));
  Consumer consumer{"states", "counter", BeginAt::state};
  consumer.on<CounterState>(
      [](SqlTransaction& transaction, const CounterState& state, const Delivery& delivery) {
        keep(transaction, Counted{state.box, state.total}, delivery);
      });
  ConsumerOptions options = quick_options();
  options.batch_events_max = 2;  // pages of two
  ConsumerLoop& loop = keeper_->consume(consumer, counter_->address(), options);
  ASSERT_TRUE(comes_to(loop, ConsumerState::running));
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    append(transaction, CounterState{"b", 40, 4});
    return {};
  }));
  ASSERT_TRUE(comes_true([&] { return kept_count() == 4; }));
  EXPECT_THAT(numbers("a"), ElementsAre(30));
  EXPECT_THAT(numbers("b"), ElementsAre(30, 40));
  EXPECT_THAT(numbers("c"), ElementsAre(30));
}

TEST_F(ConsumerLoopTest, keeps_its_lag_true_when_everything_is_hidden_from_it) {
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    for (int i = 1; i <= 50; ++i) append(transaction, CounterState{"red", i, i});
    return {};
  }));
  ConsumerLoop& loop = keep_counting();
  ASSERT_TRUE(comes_true([&] {
    const auto status = loop.status();
    return !status.partitions.empty() && status.partitions[0].cursor.position == 50;
  }));
  EXPECT_EQ(loop.status().lag(), 0U);
  EXPECT_THAT(kept(), IsEmpty());
}

TEST_F(ConsumerLoopTest, waits_for_a_peer_that_is_absent_and_then_catches_up) {
  count("red", 1, 5);
  const auto port = counter_->port();
  const auto address = counter_->address();
  counter_.reset();
  ConsumerLoop& loop = keeper_->consume(keeping(), address);
  ASSERT_TRUE(comes_true([&] { return !loop.status().last_error.empty(); }));
  EXPECT_EQ(loop.status().state, ConsumerState::waiting);
  start_counter(port);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 5; }));
  counter_.reset();
  ASSERT_TRUE(comes_to(loop, ConsumerState::waiting));
  start_counter(port);
  count("red", 6, 10);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 10; }));
  EXPECT_EQ(loop.status().state, ConsumerState::running);
  EXPECT_EQ(numbers("red"), from_to(1, 10));
}

// The source ends a range only with what the reader has acknowledged: what is committed here.
TEST_F(ConsumerLoopTest, acknowledges_what_it_has_committed) {
  keep_counting();
  count("red", 1, 10);
  ASSERT_TRUE(comes_true([&] {
    const auto readers = counter_->log().readers();
    return readers.size() == 1 && readers[0].acknowledged.position == 10;
  }));
  EXPECT_EQ(counter_->log().readers()[0].service, "keeper");
  EXPECT_EQ(counter_->log().readers()[0].consumer, "keeping");
}

TEST_F(ConsumerLoopTest, stops_reading_ahead_when_enough_is_pending) {
  count("red", 1, 300);
  ConsumerOptions options = quick_options();
  options.pending_events_max = 20;
  options.batch_events_max = 7;
  keep_counting(options);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 300; }));
  EXPECT_EQ(numbers("red"), from_to(1, 300));
}

TEST_F(ConsumerLoopTest, notes_places_to_which_it_could_return) {
  ConsumerLoop& loop = keep_counting();
  count("red", 1, 10);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 10; }));
  keeper_->wait_for(loop.stop());
  const auto waypoints = keeper_->read<std::vector<EventId>>(
      [](SqlTransaction& t) { return t.books().waypoints("keeping@counter", 0); });
  EXPECT_FALSE(waypoints.empty());
}

// Another instance takes the lease, and with it a new epoch: the former owner's next move of the
// cursor changes nothing, and it stands by until the lease is released.
TEST_F(ConsumerLoopTest, stands_by_when_it_is_fenced_and_goes_on_when_it_can) {
  ConsumerOptions options = quick_options();
  options.lease = 100'000ms;
  ConsumerLoop& loop = keep_counting(options);
  count("red", 1, 5);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 5; }));
  ASSERT_TRUE(keeper_->write([](SqlTransaction& transaction) -> Result<> {
    // As if its lease had run out meanwhile.
    transaction.run_script("update freehold_lease set held_until = 0");
    EXPECT_TRUE(transaction.books().take_lease("keeping@counter", "2", 1h));
    return {};
  }));
  count("red", 6, 10);
  ASSERT_TRUE(comes_to(loop, ConsumerState::waiting));
  EXPECT_THAT(loop.status().last_error, HasSubstr("not_the_owner"));
  EXPECT_EQ(numbers("red"), from_to(1, 5));
  ASSERT_TRUE(keeper_->write([](SqlTransaction& transaction) -> Result<> {
    transaction.books().release_lease("keeping@counter", 2);
    transaction.changed("freehold_lease/keeping@counter");
    return {};
  }));
  ASSERT_TRUE(comes_true([&] { return kept_count() == 10; }));
  EXPECT_EQ(numbers("red"), from_to(1, 10));
}

TEST_F(ConsumerLoopTest, waits_for_the_lease_of_another_instance) {
  ASSERT_TRUE(keeper_->write([](SqlTransaction& transaction) -> Result<> {
    EXPECT_TRUE(transaction.books().take_lease("keeping@counter", "2", 1h));
    return {};
  }));
  ConsumerOptions options = quick_options();
  options.lease = 60ms;
  count("red", 1, 5);
  ConsumerLoop& loop = keep_counting(options);
  ASSERT_TRUE(comes_true([&] { return !loop.status().last_error.empty(); }));
  EXPECT_THAT(kept(), IsEmpty());
  keeper_->script("update freehold_lease set held_until = 0");  // as if it had run out by itself
  ASSERT_TRUE(comes_true([&] { return kept_count() == 5; }));
}

// Else another would take it, and begin from the first page again.
TEST_F(ConsumerLoopTest, keeps_its_lease_while_its_source_does_not_answer) {
  const auto address = counter_->address();
  counter_.reset();
  ConsumerOptions options = quick_options();
  options.lease = 60ms;
  keeper_->consume(keeping(), address, options);
  const auto held_until = [this] {
    return keeper_->read<Time>([](SqlTransaction& transaction) {
      constexpr sql::Query<Time()> ends{"select held_until from freehold_lease"};
      return transaction.first(ends).value_or(Time{});
    });
  };
  ASSERT_TRUE(comes_true([&] { return held_until() > Time{}; }));
  const Time first = held_until();
  EXPECT_TRUE(comes_true([&] { return held_until() > first + 2 * options.lease; }));
}

}  // namespace
}  // namespace freehold
