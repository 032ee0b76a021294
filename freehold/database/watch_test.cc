// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/watch.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
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
                        [&](std::exception_ptr) { ++waiting.woken; });
  waiting.io.poll();
  EXPECT_EQ(waiting.woken, 1);
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

}  // namespace
}  // namespace freehold
