// SPDX-License-Identifier: Apache-2.0
#include "bench/load.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <thread>

#include "freehold/base/clock.h"
#include "freehold/http/routes.h"
#include "freehold/http/server.h"

namespace bench {
namespace {

namespace http = freehold::http;
using freehold::SteadyClock;
using namespace std::chrono_literals;

// Answers at once, but for one request in the middle: for as long as that takes its only thread
// answers nobody.
class StallingServer {
 public:
  StallingServer(int stalled_request, std::chrono::milliseconds stall)
      : stalled_request_(stalled_request), stall_(stall) {
    routes_.get<"/empty">(&StallingServer::get, *this).open();
    routes_.get<"/slow">(&StallingServer::get_slowly, *this).open();
    EXPECT_TRUE(server_.start());
    thread_ = std::jthread{[this] { io_.run(); }};
  }
  ~StallingServer() { io_.stop(); }

  std::string address() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  int requests() const { return requests_; }

 private:
  freehold::Task<freehold::Result<>> get(http::None, http::Call) {
    const auto end = SteadyClock::now() + stall_;
    if (++requests_ == stalled_request_)
      while (SteadyClock::now() < end) continue;
    co_return freehold::Result<>{};
  }

  // Takes its time, and meanwhile others are answered.
  freehold::Task<freehold::Result<>> get_slowly(http::None, http::Call) {
    boost::asio::basic_waitable_timer<SteadyClock> timer{io_, 20ms};
    co_await timer.async_wait(boost::asio::use_awaitable);
    co_return freehold::Result<>{};
  }

  const int stalled_request_;
  const std::chrono::milliseconds stall_;
  std::atomic<int> requests_ = 0;
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      io_.get_executor()};
  http::Routes routes_;
  http::Server server_{routes_, {}, {io_.get_executor()}};
  std::jthread thread_;
};

Plan plan_for(const StallingServer& server) {
  return {.empty_address = server.address(),
          .empty_target = "/empty",
          .mix = {{Action::empty, 1}},
          .counted_ms = 500};
}

TEST(Load, an_open_loop_does_not_wait_for_answers) {
  StallingServer server{0, 0ms};
  Plan plan = plan_for(server);
  plan.empty_target = "/slow";
  plan.per_second = 400;
  const auto report = run(plan);
  ASSERT_TRUE(report);
  // One after the other they would take 4 s, and the last would be answered 3.5 s too late.
  EXPECT_GE(report->tallies.front().latency.p50_ms, 20);
  EXPECT_LT(report->tallies.front().latency.p50_ms, 1000);
}

TEST(Load, the_latency_of_an_open_loop_holds_the_wait_of_all_that_came_during_a_stall) {
  StallingServer server{50, 200ms};
  Plan plan = plan_for(server);
  plan.per_second = 400;
  plan.arrivals = Arrivals::constant;
  const auto report = run(plan);
  ASSERT_TRUE(report);
  const Tally& tally = report->tallies.front();
  EXPECT_NEAR(static_cast<double>(tally.answered), 200, 2);
  EXPECT_EQ(tally.failed + tally.refused, 0);
  // Of 200 requests some 80 came while nobody answered: they waited for up to 200 ms.
  EXPECT_GE(tally.latency.p90_ms, 60);
  EXPECT_GE(tally.latency.p99_ms, 150);
}

TEST(Load, a_closed_loop_sends_the_next_request_when_it_has_its_answer) {
  StallingServer server{2, 200ms};
  Plan plan = plan_for(server);
  plan.requests_max = 3;
  const auto report = run(plan);
  ASSERT_TRUE(report);
  EXPECT_EQ(server.requests(), 3);
  EXPECT_EQ(report->tallies.front().answered, 3);
  EXPECT_GE(report->tallies.front().latency.p999_ms, 200);
  EXPECT_LT(report->tallies.front().latency.p50_ms, 200);
}

TEST(Load, what_is_warmed_up_with_is_not_counted) {
  StallingServer server{1, 200ms};
  Plan plan = plan_for(server);
  plan.warm_up_ms = 250;
  plan.counted_ms = 100;
  const auto report = run(plan);
  ASSERT_TRUE(report);
  const Tally& tally = report->tallies.front();
  EXPECT_GT(tally.answered, 0);
  EXPECT_LT(tally.answered, server.requests());
}

TEST(Load, what_is_refused_or_not_answered_is_no_success) {
  StallingServer server{0, 0ms};
  Plan plan = plan_for(server);
  plan.empty_target = "/nowhere";
  plan.requests_max = 1;
  auto report = run(plan);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->tallies.front().refused, 1);
  EXPECT_EQ(report->tallies.front().last_failure.substr(0, 3), "404");
  plan.empty_address = "127.0.0.1:1";
  report = run(plan);
  ASSERT_TRUE(report);
  EXPECT_EQ(report->tallies.front().failed, 1);
  EXPECT_EQ(report->unanswered, 1);
}

TEST(Load, a_plan_without_actions_is_refused) {
  EXPECT_FALSE(run(Plan{}));
}

}  // namespace
}  // namespace bench
