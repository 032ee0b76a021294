// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/random.h"

#include <gtest/gtest.h>

#include "freehold/base/hash.h"

namespace freehold {
namespace {

TEST(SeededRandom, gives_the_same_numbers_for_the_same_seed) {
  SeededRandom one{7}, same{7}, other{8};
  const auto first = one.bits();
  EXPECT_EQ(first, same.bits());
  EXPECT_NE(first, other.bits());
  EXPECT_NE(first, one.bits());
}

TEST(Random, the_systems_numbers_differ) {
  EXPECT_NE(Random::current().bits(), Random::current().bits());
}

TEST(Hash, is_fnv_1a_of_64_bits) {
  EXPECT_EQ(fnv1a(""), 0xcbf29ce484222325U);
  EXPECT_EQ(fnv1a("a"), 0xaf63dc4c8601ec8cU);
  EXPECT_EQ(fnv1a("foobar"), 0x85944171f73967e8U);
}

}  // namespace
}  // namespace freehold
