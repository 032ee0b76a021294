// SPDX-License-Identifier: Apache-2.0
//
// The loop that fires timers, on the real clock.
#include <gtest/gtest.h>

#include <chrono>
#include <condition_variable>
#include <mutex>

#include "freehold/saga/order_example.h"
#include "freehold/saga/order_service_test.h"
#include "freehold/saga/sagas.h"
#include "freehold/testing/scratch_database.h"

namespace freehold {
namespace {

using namespace example;

struct Nap {
  std::string order;
  std::int64_t duration_ms;
};
BOOST_DESCRIBE_STRUCT(Nap, (), (order, duration_ms))

Saga nap(SagaContext<Sell> saga, Nap nap) {
  co_await saga.sleep(std::chrono::milliseconds{nap.duration_ms});
  co_await saga.tell(Sell{nap.order});
}
constexpr SagaDefinition napping{"nap.v1", nap};

// Waits for the commands that sagas send.
class TimersTest : public testing::Test {
 protected:
  TimersTest() {
    database_->on_appended([this](std::span<const StoredEvent> events) {
      const std::lock_guard lock{mutex_};
      sent_ += events.size();
      changed_.notify_all();
    });
    sagas_.runs(napping);
  }

  void start(const std::string& key, std::chrono::milliseconds duration) {
    ASSERT_TRUE(database_.write([&](SqlTransaction& transaction) -> Result<> {
      napping.start(transaction, key, {key, duration.count()});
      return {};
    }));
  }
  // Whether that many have been sent before the deadline.
  bool are_sent(std::size_t commands, std::chrono::milliseconds within) {
    std::unique_lock lock{mutex_};
    return changed_.wait_for(lock, within, [&] { return sent_ >= commands; });
  }

  // Before Sagas ask for it.
  const bool is_named_ = (set_own_service("order"), true);
  ScratchDatabase database_;
  Sagas sagas_{*database_, database_.executor()};

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t sent_ = 0;
};

TEST_F(TimersTest, a_timer_that_is_due_before_the_one_armed_wakes_the_loop) {
  ASSERT_TRUE(sagas_.start());
  start("long", 1h);
  // Were it not woken, it would look again after a second, each time.
  const Deadline begin = SteadyClock::now();
  std::size_t sent = 0;
  for (; sent < 20; ++sent) {
    start("short" + std::to_string(sent), 10ms);
    ASSERT_TRUE(are_sent(sent + 1, 30s));
  }
  EXPECT_LT(SteadyClock::now() - begin, 8s);
  // Many at once, and they ring the loop while it fires others.
  for (int i = 0; i < 200; ++i) start(std::to_string(i), std::chrono::milliseconds{i % 20});
  EXPECT_TRUE(are_sent(220, 30s));
  database_.run(sagas_.stop());
  EXPECT_EQ(sagas_.counts().running, 1);
}

TEST_F(TimersTest, a_start_fires_what_came_due_while_the_service_was_down) {
  start("before", 1ms);
  ASSERT_TRUE(sagas_.start());
  EXPECT_TRUE(are_sent(1, 30s));
  database_.run(sagas_.stop());
}

TEST_F(TimersTest, a_saga_that_cannot_be_read_stops_no_other) {
  start("unreadable", 1ms);
  start("sound", 1ms);
  ASSERT_TRUE(database_.write([](SqlTransaction& transaction) -> Result<> {
    transaction.run_script(
        "update freehold_saga set journal = '[{' where id = 'nap.v1/unreadable'");
    return {};
  }));
  ASSERT_TRUE(sagas_.start());
  EXPECT_TRUE(are_sent(1, 30s));
  database_.run(sagas_.stop());
}

TEST_F(TimersTest, nothing_is_fired_after_a_stop_and_a_stop_twice_is_one) {
  ASSERT_TRUE(sagas_.start());
  database_.run(sagas_.stop());
  database_.run(sagas_.stop());
  start("late", 1ms);
  EXPECT_FALSE(are_sent(1, 100ms));
}

// A lease that lapsed while nothing was due would look like a death: whoever came next would be
// careful, and so would this one after it.
TEST(Timers, an_instance_leads_until_it_stops_also_while_nothing_is_due) {
  constexpr sql::Query<std::int64_t()> end_of_lease{
      "select held_until from freehold_lease where name = 'saga'"};
  OrderService service{[](Sagas& sagas) { sagas.runs(place_order); }, SagaOptions{.owner = "1"}};
  const auto held_until = [&] {
    return service.database.read(
        [&](SqlTransaction& transaction) { return transaction.first(end_of_lease).value(); });
  };
  const auto takes_over = [&] {
    bool taken = false;
    EXPECT_TRUE(service.write([&](SqlTransaction& transaction) {
      taken = transaction.books().take_lease("saga", "2", 1h).has_value();
    }));
    return taken;
  };
  ASSERT_TRUE(service.sagas->start());
  for (int renewal = 1; renewal <= 3; ++renewal) {
    const std::int64_t before = held_until();
    service.clock.advance(1s);
    for (int turn = 0; turn < 300'000 && held_until() == before; ++turn) {
      // It may have begun to sleep after the clock went on, which then stands still.
      internal::SagaPulse::of("order").timer_set(now());
      service.settle();
    }
    ASSERT_GT(held_until(), before) << renewal;
    ASSERT_FALSE(takes_over()) << renewal;
  }
  service.database.run(service.sagas->stop());
  EXPECT_TRUE(takes_over());
}

TEST_F(TimersTest, a_stop_without_a_start_returns) {
  database_.run(sagas_.stop());
}

}  // namespace
}  // namespace freehold
