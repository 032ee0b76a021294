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
#include "freehold/http/testing/scripted_server.h"

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

Plan orders_from(const http::ScriptedServer& server) {
  return {.order_address = server.address(),
          .customers = {"token"},
          .mix = {{Action::order, 1}},
          .requests_max = 1};
}

std::string created(std::string_view body) {
  return ("HTTP/1.1 201 Created\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n")
      .append(body);
}

TEST(Load, an_order_is_counted_by_the_state_that_its_answer_names) {
  http::ScriptedServer confirmed{{created(R"({"id":"o1","status":"confirmed"})")}};
  http::ScriptedServer rejected{{created(R"({"id":"o2","status":"rejected"})")}};
  auto report = run(orders_from(confirmed));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->placed, 1);
  EXPECT_EQ(report->tallies.front().confirmed, 1);
  report = run(orders_from(rejected));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->placed, 1);
  EXPECT_EQ(report->tallies.front().confirmed, 0);
  EXPECT_EQ(report->tallies.front().rejected, 1);
}

TEST(Load, an_answer_that_no_order_was_ever_given_is_no_success) {
  http::ScriptedServer without_id{{created("{}")}};
  auto report = run(orders_from(without_id));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->placed, 0);
  EXPECT_EQ(report->unanswered, 0);
  EXPECT_EQ(report->tallies.front().failed, 1);
  EXPECT_EQ(report->tallies.front().last_failure, "without an id: 201 {}");
  http::ScriptedServer no_http{{"no HTTP\r\n\r\n"}};
  report = run(orders_from(no_http));
  ASSERT_TRUE(report);
  EXPECT_EQ(report->unanswered, 1);
  EXPECT_EQ(report->tallies.front().failed, 1);
  EXPECT_NE(report->tallies.front().last_failure.find("unexpected_answer"), std::string::npos)
      << report->tallies.front().last_failure;
}

TEST(Load, a_change_reads_the_product_first) {
  http::ScriptedServer server{
      {"HTTP/1.1 200 OK\r\nETag: \"3\"\r\nConnection: close\r\n"
       "Content-Length: 0\r\n\r\n",
       "HTTP/1.1 204 No Content\r\n\r\n"}};
  const auto report = run(
      {.product_address = server.address(), .mix = {{Action::price_update, 1}}, .requests_max = 1});
  ASSERT_TRUE(report);
  EXPECT_EQ(report->tallies.front().answered, 1);
  EXPECT_EQ(server.requests(), 2);
}

TEST(Load, a_plan_without_actions_or_without_an_address_for_them_is_refused) {
  EXPECT_FALSE(run(Plan{}));
  EXPECT_FALSE(run(Plan{.mix = {{Action::product, 1}}}));
  EXPECT_FALSE(run(Plan{.product_address = "nowhere", .mix = {{Action::product, 1}}}));
}

}  // namespace
}  // namespace bench
