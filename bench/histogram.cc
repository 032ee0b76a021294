// SPDX-License-Identifier: Apache-2.0
#include "bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace bench {
namespace {

// Values below 2 · steps have a bucket each. Above, each doubling is cut into `steps` buckets.
constexpr std::size_t step_bits = 7;
constexpr std::uint64_t steps = std::uint64_t{1} << step_bits;
constexpr std::size_t buckets = 2 * steps + (63 - step_bits) * steps;

}  // namespace

Histogram::Histogram() : buckets_(buckets) {}

std::size_t Histogram::bucket_of(std::uint64_t value) {
  if (value < 2 * steps) return value;
  // value >> shift is in [steps, 2 * steps)
  const std::size_t shift = static_cast<std::size_t>(std::bit_width(value)) - (step_bits + 1);
  return 2 * steps + (shift - 1) * steps + ((value >> shift) - steps);
}

std::uint64_t Histogram::highest_in(std::size_t bucket) {
  if (bucket < 2 * steps) return bucket;
  const std::size_t beyond = bucket - 2 * steps;
  const std::uint64_t shift = beyond / steps + 1;
  return ((steps + beyond % steps + 1) << shift) - 1;
}

void Histogram::record(std::chrono::nanoseconds duration) {
  const auto value = static_cast<std::uint64_t>(std::max<std::int64_t>(duration.count(), 0));
  ++buckets_[bucket_of(value)];
  ++count_;
  sum_ns_ += static_cast<double>(value);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t i = 0; i < buckets_.size(); ++i) buckets_[i] += other.buckets_[i];
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
}

double Histogram::mean_ms() const {
  return count_ == 0 ? 0 : sum_ns_ / static_cast<double>(count_) / 1e6;
}

double Histogram::percentile_ms(double share) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max<std::uint64_t>(
      1, static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(count_))));
  std::uint64_t passed = 0;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    passed += buckets_[i];
    if (passed >= wanted) return static_cast<double>(highest_in(i)) / 1e6;
  }
  return static_cast<double>(highest_in(buckets_.size() - 1)) / 1e6;
}

}  // namespace bench
