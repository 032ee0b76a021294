// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/random.h"

#include <openssl/rand.h>

#include <array>
#include <bit>

#include "freehold/base/assert.h"

namespace freehold {
namespace {

// Draws from OpenSSL in blocks: one call a kilobyte instead of one an id.
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> bytes) override {
    thread_local std::array<std::uint8_t, 1024> pool;
    thread_local std::size_t used = pool.size();
    for (std::uint8_t& byte : bytes) {
      if (used == pool.size()) {
        FREEHOLD_ASSERT(RAND_bytes(pool.data(), static_cast<int>(pool.size())) == 1,
                        "the system has no random numbers");
        used = 0;
      }
      byte = pool[used];
      pool[used++] = 0;
    }
  }
};

Random& system_random() {
  static SystemRandom random;
  return random;
}

Random* installed = nullptr;

}  // namespace

std::uint64_t Random::bits() {
  std::array<std::uint8_t, 8> bytes;
  fill(bytes);
  return std::bit_cast<std::uint64_t>(bytes);
}

std::uint64_t Random::below(std::uint64_t bound) {
  FREEHOLD_ASSERT(bound > 0, "there is no number below zero");
  return bits() % bound;
}

Random& Random::current() {
  return installed ? *installed : system_random();
}

void Random::install(Random* random) {
  installed = random;
}

// SplitMix64 (Steele, Lea, Flood 2014).
void SeededRandom::fill(std::span<std::uint8_t> bytes) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i % 8 == 0) {
      state_ += 0x9e3779b97f4a7c15U;
      word = state_;
      word = (word ^ (word >> 30U)) * 0xbf58476d1ce4e5b9U;
      word = (word ^ (word >> 27U)) * 0x94d049bb133111ebU;
      word ^= word >> 31U;
    }
    bytes[i] = static_cast<std::uint8_t>(word >> (8 * (i % 8)));
  }
}

}  // namespace freehold
