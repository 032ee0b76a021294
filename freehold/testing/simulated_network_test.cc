// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/simulated_network.h"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <optional>

#include "freehold/base/errors.h"
#include "freehold/testing/simulation.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;

// A host without a database that counts the calls it gets.
class Network : public testing::Test {
 protected:
  Network() {
    routes_.get<"/count">(&Network::count, *this).open();
    simulation_.network().attach("host", routes_, simulation_.client().get_executor());
    simulation_.network().weather = {.delay_min = 10ms, .delay_max = 10ms};
  }

 public:
  ~Network() override { simulation_.network().detach("host"); }

 protected:
  Task<Result<http::None>> count(http::None, http::Call) {
    ++calls_;
    co_return http::None{};
  }

  // What one call from "asker" comes to, within 1 s.
  Result<http::Response> ask(std::string address = "host") {
    outcome_.reset();
    boost::asio::co_spawn(simulation_.client(), exchange(std::move(address)),
                          boost::asio::detached);
    EXPECT_TRUE(simulation_.run_until([this] { return outcome_.has_value(); }, 10s));
    return *std::move(outcome_);
  }
  Task<> exchange(std::string address) {
    outcome_.emplace(
        co_await asker_->exchange(std::move(address), {.target = "/count"}, deadline_in(1s)));
  }

  http::Routes routes_;
  int calls_ = 0;
  std::optional<Result<http::Response>> outcome_;
  Simulation simulation_{1};
  std::unique_ptr<http::Transport> asker_ = simulation_.network().transport_of("asker");
};

TEST_F(Network, an_exchange_takes_the_time_of_both_ways) {
  const auto start = SteadyClock::now();
  const auto answer = ask();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 204);
  EXPECT_GE(SteadyClock::now(), start + 20ms);
  EXPECT_LE(SteadyClock::now(), start + 30ms);
}

TEST_F(Network, a_host_that_is_not_there_is_unavailable_and_nothing_happened) {
  const auto answer = ask("nobody");
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().is(errors::peer_unavailable));
}

TEST_F(Network, a_request_is_lost_before_it_arrives_or_its_answer_after) {
  simulation_.network().weather.lost_before = 1'000'000;
  EXPECT_TRUE(ask().error().is(errors::connection_lost));
  EXPECT_EQ(calls_, 0);
  simulation_.network().weather.lost_before = 0;
  simulation_.network().weather.lost_after = 1'000'000;
  EXPECT_TRUE(ask().error().is(errors::connection_lost));
  EXPECT_EQ(calls_, 1);
}

TEST_F(Network, parted_hosts_hear_nothing_until_the_deadline) {
  simulation_.network().part("asker", "host");
  const auto start = SteadyClock::now();
  EXPECT_TRUE(ask().error().is(errors::deadline_exceeded));
  EXPECT_GE(SteadyClock::now(), start + 1s);
  EXPECT_EQ(calls_, 0);
  simulation_.network().join("asker", "host");
  EXPECT_TRUE(ask());
}

}  // namespace
}  // namespace freehold
