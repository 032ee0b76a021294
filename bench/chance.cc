// SPDX-License-Identifier: Apache-2.0
#include "bench/chance.h"

#include <algorithm>
#include <cmath>

#include "freehold/base/assert.h"

namespace bench {

double draw_share(freehold::Random& random) {
  constexpr int mantissa_bits = 53;
  return std::ldexp(static_cast<double>(random.bits() >> (64 - mantissa_bits)), -mantissa_bits);
}

Weighted::Weighted(std::span<const double> weights) {
  up_to_.reserve(weights.size());
  double sum = 0;
  for (const double weight : weights) up_to_.push_back(sum += weight);
  FREEHOLD_ASSERT(sum > 0, "something must be possible");
  for (double& share : up_to_) share /= sum;
}

std::size_t Weighted::draw(freehold::Random& random) const {
  const auto found = std::ranges::upper_bound(up_to_, draw_share(random));
  return std::min(static_cast<std::size_t>(found - up_to_.begin()), up_to_.size() - 1);
}

std::vector<double> zipf_weights(std::size_t size, double exponent) {
  std::vector<double> weights(size);
  for (std::size_t i = 0; i < size; ++i)
    weights[i] = std::pow(static_cast<double>(i + 1), -exponent);
  return weights;
}

std::chrono::nanoseconds Schedule::next(freehold::Random& random) {
  const double gap = arrivals_ == Arrivals::poisson ? -std::log1p(-draw_share(random)) : 1;
  at_s_ += gap / per_second_;
  return std::chrono::nanoseconds{static_cast<std::int64_t>(at_s_ * 1e9)};
}

}  // namespace bench
