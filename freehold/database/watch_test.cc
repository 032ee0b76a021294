// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/watch.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <thread>

namespace freehold {
namespace {

using namespace std::chrono_literals;

struct Waiting {
  boost::asio::io_context io;
  Watches watches;
  int woken = 0;

  Task<> wait(std::string subject, Deadline until) {
    auto watch = watches.begin(std::move(subject));
    co_await watch.next(until);
    ++woken;
  }
};

TEST(Watches, a_change_wakes_all_who_watch_its_subject_and_nobody_else) {
  Waiting waiting;
  for (const char* subject : {"a", "a", "b"})
    boost::asio::co_spawn(waiting.io, waiting.wait(subject, deadline_in(60s)),
                          boost::asio::detached);
  waiting.io.poll();
  EXPECT_EQ(waiting.woken, 0);
  waiting.watches.changed("a");
  waiting.io.poll();
  EXPECT_EQ(waiting.woken, 2);
}

TEST(Watches, a_change_before_the_wait_is_not_missed) {
  Waiting waiting;
  auto watch = waiting.watches.begin("a");
  waiting.watches.changed("a");
  boost::asio::co_spawn(waiting.io, watch.next(deadline_in(60s)),
                        [&](std::exception_ptr, const std::any&) { ++waiting.woken; });
  waiting.io.poll();
  EXPECT_EQ(waiting.woken, 1);
}

TEST(Watches, a_change_tells_the_newest_news_once_and_one_without_news_tells_nothing) {
  Waiting waiting;
  auto watch = waiting.watches.begin("a");
  std::any told;
  const auto tell = [&] {
    boost::asio::co_spawn(waiting.io, watch.next(deadline_in(60s)),
                          [&](std::exception_ptr, std::any news) { told = std::move(news); });
    waiting.io.restart();
    waiting.io.poll();
  };
  waiting.watches.changed("a", 1);
  waiting.watches.changed("a", 2);
  tell();
  EXPECT_EQ(std::any_cast<int>(told), 2);
  tell();
  waiting.watches.changed("a", 3);
  waiting.io.poll();
  EXPECT_EQ(std::any_cast<int>(told), 3) << "who waits already is told as well";
  waiting.watches.changed("a", 4);
  waiting.watches.changed("a");
  tell();
  EXPECT_FALSE(told.has_value()) << "what was told before may be old";
}

TEST(Watches, a_wait_ends_at_its_deadline) {
  Waiting waiting;
  boost::asio::co_spawn(waiting.io, waiting.wait("a", deadline_in(1ms)), boost::asio::detached);
  waiting.io.run();
  EXPECT_EQ(waiting.woken, 1);
}

TEST(Watches, changes_come_from_any_thread) {
  Waiting waiting;
  for (int i = 0; i < 100; ++i)
    boost::asio::co_spawn(waiting.io, waiting.wait("a", deadline_in(60s)), boost::asio::detached);
  waiting.io.poll();
  std::thread other{[&] { waiting.watches.changed("a"); }};
  waiting.io.run();
  other.join();
  EXPECT_EQ(waiting.woken, 100);
}

TEST(Watches, those_who_wait_on_several_threads_are_woken_on_their_own) {
  Waiting waiting;
  boost::asio::io_context other;
  std::atomic<int> woken_on_other = 0;
  for (int i = 0; i < 100; ++i) {
    boost::asio::co_spawn(waiting.io, waiting.wait("a", deadline_in(60s)), boost::asio::detached);
    boost::asio::co_spawn(
        other,
        [](Watches* watches) -> Task<> {
          auto watch = watches->begin("b");
          co_await watch.next(deadline_in(60s));
        }(&waiting.watches),
        [&](const std::exception_ptr&) { ++woken_on_other; });
  }
  waiting.io.poll();
  other.poll();
  std::thread changing{[&] {
    waiting.watches.changed("b");
    waiting.watches.changed("a");
  }};
  std::thread running{[&] { other.run(); }};
  waiting.io.run();
  changing.join();
  running.join();
  EXPECT_EQ(waiting.woken, 100);
  EXPECT_EQ(woken_on_other, 100);
}

TEST(Watches, a_thread_that_ended_before_it_was_woken_hinders_nobody) {
  Waiting waiting;
  auto ended = std::make_unique<boost::asio::io_context>();
  boost::asio::co_spawn(
      *ended,
      [](Watches* watches) -> Task<> {
        auto watch = watches->begin("a");
        co_await watch.next(deadline_in(60s));
      }(&waiting.watches),
      boost::asio::detached);
  ended->poll();
  waiting.watches.changed("a");
  ended.reset();
  for (int i = 0; i < 2; ++i) {
    waiting.io.restart();
    boost::asio::co_spawn(waiting.io, waiting.wait("a", deadline_in(60s)), boost::asio::detached);
    waiting.io.poll();
    waiting.watches.changed("a");
    waiting.io.run();
    EXPECT_EQ(waiting.woken, i + 1);
  }
}

}  // namespace
}  // namespace freehold
