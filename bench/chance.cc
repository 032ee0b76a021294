// SPDX-License-Identifier: Apache-2.0
#include "bench/chance.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "freehold/base/assert.h"

namespace bench {

double draw_share(freehold::Random& random) {
  constexpr int mantissa_bits = 53;
  return std::ldexp(static_cast<double>(random.bits() >> (64 - mantissa_bits)), -mantissa_bits);
}

Weighted::Weighted(std::span<const double> weights) : columns_(weights.size()) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  FREEHOLD_ASSERT(sum > 0, "something must be possible");
  std::vector<std::size_t> small;
  std::vector<std::size_t> large;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    columns_[i] = {weights[i] / sum * static_cast<double>(weights.size()), i};
    (columns_[i].own < 1 ? small : large).push_back(i);
  }
  while (!small.empty() && !large.empty()) {
    const std::size_t giver = large.back();
    columns_[small.back()].other = giver;
    columns_[giver].own -= 1 - columns_[small.back()].own;
    small.pop_back();
    if (columns_[giver].own >= 1) continue;
    small.push_back(giver);
    large.pop_back();
  }
  // The sum of all never changes, so what is left differs from 1 by rounding only: it needs none.
}

std::size_t Weighted::draw(freehold::Random& random) const {
  const double at = draw_share(random) * static_cast<double>(columns_.size());
  const auto index = std::min(static_cast<std::size_t>(at), columns_.size() - 1);
  const Column& column = columns_[index];
  return at - static_cast<double>(index) < column.own ? index : column.other;
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
