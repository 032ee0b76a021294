// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace bench {

// Counts durations in buckets that grow with them, as HdrHistogram does: exact below 256 ns, and
// within 1/128 of the value above, up to centuries. Recording is a few instructions and allocates
// nothing. For one thread; merge those of several.
class Histogram {
 public:
  Histogram();

  void record(std::chrono::nanoseconds duration);  // negative ones count as 0
  void merge(const Histogram& other);

  std::uint64_t count() const { return count_; }
  double mean_ms() const;  // 0 when nothing was recorded

  // The duration that `share` (0 … 1) of those recorded do not exceed: the upper end of the bucket
  // in which that one lies, so never less than it was. 0 when nothing was recorded.
  double percentile_ms(double share) const;

 private:
  static std::size_t bucket_of(std::uint64_t value);
  static std::uint64_t highest_in(std::size_t bucket);

  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
  double sum_ns_ = 0;
};

}  // namespace bench
