// SPDX-License-Identifier: Apache-2.0
//
// The random door: ids, stamps, jitter and secrets come from here; a test installs a seeded one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace freehold {

// Where random bits come from. Callable from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> bytes) = 0;
  std::uint64_t bits();
  std::uint64_t below(std::uint64_t bound);  // in [0, bound), bound > 0

  // The source in force: the system's (OpenSSL's generator, fit for keys and tokens) unless a test
  // installed another (nullptr: the system's) before any thread was started.
  static Random& current();
  static void install(Random* random);
};

// The same numbers for the same seed, on every machine. For tests only: it keeps no secret.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : state_(seed) {}
  void fill(std::span<std::uint8_t> bytes) override;

 private:
  std::uint64_t state_;
};

}  // namespace freehold
