// SPDX-License-Identifier: Apache-2.0
//
// Two services in one thread, killed, power-cut and cut off from one another at random. A failure
// prints its seed; FREEHOLD_SEED=<seed> runs that one alone, with FREEHOLD_TRACE=1 telling what
// happens; FREEHOLD_LONG=1 runs ten times as many.
#include "freehold/testing/simulation.h"

#include <gtest/gtest.h>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <iostream>
#include <set>

#include "freehold/base/record.h"
#include "freehold/testing/simulated_shop.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;

const char* environment(const char* name) {
  return std::getenv(name);  // NOLINT(concurrency-mt-unsafe): one thread
}

std::vector<std::uint64_t> seeds(std::uint64_t count) {
  if (const char* text = environment("FREEHOLD_SEED")) return {std::strtoull(text, nullptr, 10)};
  if (environment("FREEHOLD_LONG")) count *= 10;
  std::vector<std::uint64_t> all(count);
  for (std::uint64_t i = 0; i < count; ++i) all[i] = i + 1;
  return all;
}

struct Outcome {
  std::vector<std::string> breaches;
  std::uint64_t trace = 0;
  std::uint64_t deaths = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t repeats = 0;
};

// Parts the two services from one another now and then, for up to half a second.
Task<> part_and_join(Simulation* simulation) {
  boost::asio::basic_waitable_timer<SteadyClock> timer{simulation->client()};
  while (simulation->calamity.per_second > 0) {
    timer.expires_after(std::chrono::milliseconds{1 + simulation->random().below(1'500)});
    co_await timer.async_wait(boost::asio::use_awaitable);
    simulation->network().part("shop", "stock");
    timer.expires_after(std::chrono::milliseconds{1 + simulation->random().below(500)});
    co_await timer.async_wait(boost::asio::use_awaitable);
    simulation->network().join("shop", "stock");
  }
}

// Orders under calamities, then calm; what the auditor finds.
Outcome run(std::uint64_t seed, Planted planted, int orders = 200) {
  std::map<std::string, int> taken_outside;
  Simulation simulation{seed};
  if (environment("FREEHOLD_TRACE"))
    simulation.on_noted = [](std::string_view what) {
      std::cerr << to_text(now()) << ' ' << what << '\n';
    };
  simulation.add(shop_program(planted));
  simulation.add(stock_program(planted, taken_outside));
  if (planted == Planted::lying_disk) simulation.storage().lie_about_syncs("shop");
  simulation.calamity = {.per_second = 300'000,
                         .at_handler = 1'500,
                         .at_storage = 1'500,
                         .at_crash_point = 1'500,
                         .disk_full = 1'000,
                         .io_error = 1'000,
                         .down_max = 700ms};
  simulation.network().weather.refused = 5'000;
  simulation.network().weather.lost_before = 10'000;
  simulation.network().weather.lost_after = 20'000;

  Customers customers{simulation, orders};
  customers.start(6);
  boost::asio::co_spawn(simulation.client(), part_and_join(&simulation), boost::asio::detached);
  Outcome outcome;
  if (!simulation.run_until([&] { return customers.are_content(); }, 3min))
    outcome.breaches.push_back("customers are not content: " +
                               std::to_string(customers.answered().size()));
  simulation.calm_down();
  const bool is_calm = simulation.run_until(
      [&, looked_at = SteadyClock::now()]() mutable {
        if (SteadyClock::now() < looked_at + 20ms) return false;
        looked_at = SteadyClock::now();
        return is_settled(simulation);
      },
      1min);
  if (!is_calm) outcome.breaches.push_back("it does not come to rest");
  for (std::string& breach : audit(simulation, customers))
    outcome.breaches.push_back(std::move(breach));
  for (const auto& [order, times] : taken_outside)
    if (times > 1)
      outcome.breaches.push_back(order + " was taken " + std::to_string(times) + " times");
  outcome.trace = simulation.trace();
  outcome.deaths = simulation.deaths();
  outcome.power_cuts = simulation.power_cuts();
  outcome.repeats = customers.repeats();
  return outcome;
}

std::string told(const Outcome& outcome) {
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(outcome.breaches.size(), 10); ++i)
    text += "\n  " + outcome.breaches[i];
  return text;
}

class Simulations : public testing::Test {
 protected:
  void SetUp() override {
    install_record_sink([](Severity, std::string_view, std::initializer_list<RecordField>) {});
  }
  void TearDown() override { install_record_sink(nullptr); }
};

TEST_F(Simulations, every_saga_ends_and_every_effect_is_there_once_whatever_dies) {
  std::uint64_t deaths = 0;
  std::uint64_t power_cuts = 0;
  std::uint64_t repeats = 0;
  for (const std::uint64_t seed : seeds(30)) {
    const Outcome result = run(seed, Planted::none);
    EXPECT_TRUE(result.breaches.empty()) << "FREEHOLD_SEED=" << seed << told(result);
    deaths += result.deaths;
    power_cuts += result.power_cuts;
    repeats += result.repeats;
  }
  std::cout << deaths << " deaths, " << power_cuts << " of them power cuts; " << repeats
            << " requests were repeated\n";
  if (environment("FREEHOLD_SEED")) return;
  EXPECT_GT(deaths, 100U);
  EXPECT_GT(power_cuts, 30U);
  EXPECT_GT(repeats, 300U);
}

TEST_F(Simulations, the_same_seed_gives_the_same_run) {
  std::set<std::uint64_t> traces;
  for (const std::uint64_t seed : seeds(5)) {
    const Outcome once = run(seed, Planted::none, 60);
    const Outcome again = run(seed, Planted::none, 60);
    EXPECT_EQ(once.trace, again.trace) << "FREEHOLD_SEED=" << seed;
    EXPECT_EQ(once.deaths, again.deaths);
    EXPECT_TRUE(traces.insert(once.trace).second) << "two seeds, one run";
  }
}

bool is_found(Planted planted) {
  for (const std::uint64_t seed : seeds(20))
    if (!run(seed, planted, 60).breaches.empty()) return true;
  return false;
}

TEST_F(Simulations, a_disk_that_lies_about_its_syncs_is_found) {
  EXPECT_TRUE(is_found(Planted::lying_disk));
}

TEST_F(Simulations, an_effect_outside_of_the_transaction_is_found) {
  EXPECT_TRUE(is_found(Planted::effect_outside));
}

TEST_F(Simulations, an_answer_before_its_commit_is_found) {
  EXPECT_TRUE(is_found(Planted::answer_before_disk));
}

}  // namespace
}  // namespace freehold
