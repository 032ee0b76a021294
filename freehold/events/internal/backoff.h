// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <chrono>

#include "freehold/base/clock.h"
#include "freehold/base/random.h"

namespace freehold::internal {

// How long to wait after the nth failure in a row: doubled each time up to a bound, and jittered by
// half, so that many who failed together do not come back together.
class Backoff {
 public:
  Backoff(std::chrono::milliseconds first, std::chrono::milliseconds longest)
      : first_(first), longest_(longest), next_(first) {}

  SteadyClock::time_point next() {
    const auto wait = std::chrono::nanoseconds{std::max(next_, std::chrono::milliseconds{1})};
    next_ = std::min(next_ * 2, longest_);
    const auto half = wait / 2;
    return SteadyClock::now() + half +
           std::chrono::nanoseconds{
               Random::current().below(static_cast<std::uint64_t>(half.count()) + 1)};
  }
  void reset() { next_ = first_; }

 private:
  std::chrono::milliseconds first_;
  std::chrono::milliseconds longest_;
  std::chrono::milliseconds next_;
};

}  // namespace freehold::internal
