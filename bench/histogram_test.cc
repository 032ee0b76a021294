// SPDX-License-Identifier: Apache-2.0
#include "bench/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "freehold/base/random.h"

namespace bench {
namespace {

using std::chrono::nanoseconds;

TEST(Histogram, says_nothing_of_nothing) {
  EXPECT_EQ(Histogram{}.percentile_ms(0.99), 0);
  EXPECT_EQ(Histogram{}.mean_ms(), 0);
}

TEST(Histogram, is_exact_for_the_smallest) {
  Histogram histogram;
  for (int value = 1; value <= 200; ++value) histogram.record(nanoseconds{value});
  EXPECT_DOUBLE_EQ(histogram.percentile_ms(0.5), 100e-6);
  EXPECT_DOUBLE_EQ(histogram.percentile_ms(0.99), 198e-6);
  EXPECT_DOUBLE_EQ(histogram.percentile_ms(1), 200e-6);
  EXPECT_DOUBLE_EQ(histogram.mean_ms(), 100.5e-6);
}

TEST(Histogram, percentiles_are_those_of_the_sorted_values_within_one_part_in_128) {
  freehold::SeededRandom random{7};
  Histogram histogram;
  std::vector<double> values;
  for (int i = 0; i < 20'000; ++i) {
    const auto value = static_cast<std::int64_t>(random.bits() >> (24 + random.below(32)));
    histogram.record(nanoseconds{value});
    values.push_back(static_cast<double>(value) / 1e6);
  }
  std::ranges::sort(values);
  for (const double share : {0.001, 0.1, 0.5, 0.9, 0.99, 0.999, 1.0}) {
    const auto rank = static_cast<std::size_t>(std::ceil(share * 20'000)) - 1;
    EXPECT_GE(histogram.percentile_ms(share), values[rank]) << share;
    EXPECT_LE(histogram.percentile_ms(share), values[rank] * (1 + 1.0 / 128) + 1e-6) << share;
  }
}

TEST(Histogram, takes_the_longest_duration_and_counts_a_negative_one_as_none) {
  Histogram histogram;
  histogram.record(nanoseconds::max());
  EXPECT_GE(histogram.percentile_ms(1), static_cast<double>(nanoseconds::max().count()) / 1e6);
  histogram.record(nanoseconds{-5});
  EXPECT_EQ(histogram.percentile_ms(0.5), 0);
}

TEST(Histogram, merged_ones_are_as_one) {
  Histogram one, other, both;
  for (int value = 1; value <= 1000; ++value) {
    (value % 3 == 0 ? one : other).record(std::chrono::microseconds{value});
    both.record(std::chrono::microseconds{value});
  }
  one.merge(other);
  EXPECT_EQ(one.count(), 1000U);
  EXPECT_EQ(one.percentile_ms(0.9), both.percentile_ms(0.9));
  EXPECT_DOUBLE_EQ(one.mean_ms(), both.mean_ms());
}

}  // namespace
}  // namespace bench
