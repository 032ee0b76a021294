// SPDX-License-Identifier: Apache-2.0
#include "bench/chance.h"

#include <gtest/gtest.h>

#include <cmath>

namespace bench {
namespace {

constexpr int draws = 200'000;

std::vector<double> shares_drawn(const Weighted& weighted, std::size_t size) {
  freehold::SeededRandom random{11};
  std::vector<double> shares(size);
  for (int i = 0; i < draws; ++i) shares.at(weighted.draw(random)) += 1.0 / draws;
  return shares;
}

TEST(Zipf, ranks_come_in_proportion_to_their_power) {
  for (const double exponent : {0.8, 1.0, 1.2}) {
    constexpr std::size_t size = 1000;
    const auto shares = shares_drawn(Weighted{zipf_weights(size, exponent)}, size);
    double sum = 0;
    for (std::size_t rank = 1; rank <= size; ++rank)
      sum += std::pow(static_cast<double>(rank), -exponent);
    for (const std::size_t rank : {1, 2, 10, 100}) {
      const double wanted = std::pow(static_cast<double>(rank), -exponent) / sum;
      const double deviation = std::sqrt(wanted / draws);
      EXPECT_NEAR(shares[rank - 1], wanted, 5 * deviation) << exponent << " rank " << rank;
    }
  }
}

TEST(Zipf, exponent_0_is_uniform) {
  for (const double share : shares_drawn(Weighted{zipf_weights(10, 0)}, 10))
    EXPECT_NEAR(share, 0.1, 0.005);
}

TEST(Weighted, never_draws_what_has_no_weight) {
  const auto shares = shares_drawn(Weighted{std::vector<double>{0, 3, 0, 1, 0}}, 5);
  EXPECT_EQ(shares[0], 0);
  EXPECT_NEAR(shares[1], 0.75, 0.01);
  EXPECT_EQ(shares[2], 0);
  EXPECT_NEAR(shares[3], 0.25, 0.01);
  EXPECT_EQ(shares[4], 0);
}

TEST(Schedule, constant_arrivals_come_at_equal_distances) {
  freehold::SeededRandom random{3};
  Schedule schedule{Arrivals::constant, 1000};
  for (int i = 1; i <= 5000; ++i)
    EXPECT_NEAR(static_cast<double>(schedule.next(random).count()), i * 1e6, 1e3);
}

TEST(Schedule, poisson_arrivals_keep_the_rate_and_their_gaps_are_exponential) {
  freehold::SeededRandom random{3};
  Schedule schedule{Arrivals::poisson, 1000};
  std::chrono::nanoseconds last{0};
  double longer_than_mean = 0, longer_than_three = 0;
  for (int i = 0; i < draws; ++i) {
    const auto next = schedule.next(random);
    const double gap_ms = static_cast<double>((next - last).count()) / 1e6;
    longer_than_mean += gap_ms > 1 ? 1.0 / draws : 0;
    longer_than_three += gap_ms > 3 ? 1.0 / draws : 0;
    last = next;
  }
  EXPECT_NEAR(static_cast<double>(last.count()) / 1e9, draws / 1000.0, 2);
  EXPECT_NEAR(longer_than_mean, std::exp(-1), 0.01);
  EXPECT_NEAR(longer_than_three, std::exp(-3), 0.005);
}

}  // namespace
}  // namespace bench
