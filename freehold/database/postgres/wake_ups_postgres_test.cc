// SPDX-License-Identifier: Apache-2.0
//
// What instances of one service hear of one another's commits.
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <semaphore>

#include "freehold/database/postgres/temporary_postgres.h"

namespace freehold {
namespace {

class WakeUps : public PostgresTest {
 protected:
  static Result<> append_note(SqlTransaction& transaction) {
    transaction.append({.type = "note.written.v1",
                        .subject = "a",
                        .partition_key = "a",
                        .recipient = {},
                        .json = "\"data\":1"});
    return {};
  }
  static Result<> append_one(Database& database) { return write(database, append_note); }
  // Listens when it says so for the first time: then all that was before is told.
  struct Listening {
    explicit Listening(Database& database) {
      database.on_appended_elsewhere([this] { heard.release(); });
    }
    bool hears() { return heard.try_acquire_for(patience); }
    std::counting_semaphore<> heard{0};
  };
};

TEST_F(WakeUps, events_of_one_instance_are_told_to_the_other) {
  const auto here = open();
  const auto elsewhere = open();
  Listening listening{*here};
  for (int i = 0; i < 5; ++i) {
    while (listening.heard.try_acquire()) {
    }
    ASSERT_TRUE(append_one(*elsewhere));
    ASSERT_TRUE(listening.hears());
  }
}

// What the other one has said while this one was telling: nothing else comes that would bring it to
// light.
TEST_F(WakeUps, that_cross_one_another_are_both_heard) {
  const auto here = open();
  const auto elsewhere = open();
  Listening hears_here{*here}, hears_elsewhere{*elsewhere};
  ASSERT_TRUE(append_one(*elsewhere));
  ASSERT_TRUE(append_one(*here));
  ASSERT_TRUE(hears_here.hears() && hears_elsewhere.hears());
  for (int round = 0; round < 200; ++round) {
    for (Listening* listening : {&hears_here, &hears_elsewhere})
      while (listening->heard.try_acquire()) {
      }
    auto one = submit(*here, append_note), two = submit(*elsewhere, append_note);
    ASSERT_TRUE(outcome_of(one) && outcome_of(two));
    ASSERT_TRUE(hears_here.heard.try_acquire_for(std::chrono::seconds{5})) << round;
    ASSERT_TRUE(hears_elsewhere.heard.try_acquire_for(std::chrono::seconds{5})) << round;
  }
}

TEST_F(WakeUps, who_watches_a_subject_is_woken_by_another_instance) {
  boost::asio::io_context context;  // outlives whoever posts to it
  const auto here = open();
  const auto elsewhere = open();
  auto watch = here->watches().begin("order 7");
  const auto waiting = [](Watches::Watch* watched) -> Task<bool> {
    const Deadline until = deadline_in(patience);
    co_await watched->next(until);
    co_return SteadyClock::now() < until;
  };
  for (int i = 0; i < 3; ++i) {
    auto woken = boost::asio::co_spawn(context, waiting(&watch), boost::asio::use_future);
    ASSERT_TRUE(write(*elsewhere, [](SqlTransaction& transaction) -> Result<> {
      transaction.changed("order 7");
      return {};
    }));
    context.restart();
    context.run();
    EXPECT_TRUE(woken.get());
  }
}

TEST_F(WakeUps, are_heard_again_after_their_connection_was_lost) {
  const auto here = open();
  const auto elsewhere = open();
  Listening listening{*here};
  ASSERT_TRUE(append_one(*elsewhere));
  ASSERT_TRUE(listening.hears());
  sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity "
      "where application_name = 'test wake-ups'");
  while (listening.heard.try_acquire()) {
  }
  ASSERT_TRUE(append_one(*elsewhere));
  EXPECT_TRUE(listening.hears());
}

TEST_F(WakeUps, subjects_that_do_not_fit_wake_everybody) {
  boost::asio::io_context context;  // outlives whoever posts to it
  const auto here = open();
  const auto elsewhere = open();
  auto watch = here->watches().begin("of none");
  const auto waiting = [](Watches::Watch* watched) -> Task<bool> {
    const Deadline until = deadline_in(patience);
    co_await watched->next(until);
    co_return SteadyClock::now() < until;
  };
  for (int round = 0; round < 3; ++round) {
    auto woken = boost::asio::co_spawn(context, waiting(&watch), boost::asio::use_future);
    ASSERT_TRUE(write(*elsewhere, [](SqlTransaction& transaction) -> Result<> {
      transaction.changed(std::string(10'000, 'x'));
      return {};
    }));
    context.restart();
    context.run();
    EXPECT_TRUE(woken.get());
  }
}

}  // namespace
}  // namespace freehold
