// SPDX-License-Identifier: Apache-2.0
//
// What a load leaves to chance: which product, which action, when the next request comes. All of it
// is drawn from one seeded generator, so a load can be repeated.
#pragma once

#include <chrono>
#include <cstddef>
#include <span>
#include <vector>

#include "freehold/base/random.h"

namespace bench {

double draw_share(freehold::Random& random);  // uniform in [0, 1)

// Draws an index with the probability of its weight, by Walker's alias method (Vose 1991): at the
// same cost for two as for 100,000, one look at the table.
class Weighted {
 public:
  explicit Weighted(std::span<const double> weights);  // none negative, one positive
  std::size_t draw(freehold::Random& random) const;

 private:
  // One column for each index, all of the same weight: this share of it is the index's own, the
  // rest was given to it by an index that has too much.
  struct Column {
    double own = 1;
    std::size_t other = 0;
  };
  std::vector<Column> columns_;
};

// Zipf's law over `size` things: index i is drawn in proportion to 1 / (i + 1)^exponent. Exponent 0
// is uniform.
std::vector<double> zipf_weights(std::size_t size, double exponent);

enum class Arrivals { poisson, constant };

// The times of an open loop, from its begin: they are fixed by the rate alone and do not wait for
// answers, so a slow answer hides no later one (no coordinated omission).
class Schedule {
 public:
  Schedule(Arrivals arrivals, double per_second) : arrivals_(arrivals), per_second_(per_second) {}
  std::chrono::nanoseconds next(freehold::Random& random);

 private:
  Arrivals arrivals_;
  double per_second_;
  double at_s_ = 0;
};

}  // namespace bench
