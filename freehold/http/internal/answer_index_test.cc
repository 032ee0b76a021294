// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/internal/answer_index.h"

#include <gtest/gtest.h>

#include "freehold/base/hash.h"

namespace freehold::http::internal {
namespace {

std::uint64_t hash_of(std::uint64_t number) {
  return fnv1a(std::to_string(number));
}

TEST(AnswerIndex, finds_every_key_and_no_other) {
  AnswerIndex index{1'000'000};
  constexpr std::uint64_t keys = 200'000;
  for (std::uint64_t i = 1; i <= keys; ++i) index.add(hash_of(i), i, 1);
  EXPECT_EQ(index.size(), keys);
  for (std::uint64_t i = 1; i <= keys; ++i) ASSERT_EQ(index.find(hash_of(i), 1), i);
  for (std::uint64_t i = 1; i <= 1000; ++i) ASSERT_EQ(index.find(hash_of(keys + i), 1), 0U);
}

TEST(AnswerIndex, what_is_too_old_is_not_there) {
  AnswerIndex index{10};
  index.add(7, 100, 1);
  EXPECT_EQ(index.find(7, 100), 100U);
  EXPECT_EQ(index.find(7, 101), 0U);
  index.add(7, 200, 101);
  EXPECT_EQ(index.find(7, 101), 200U);
  EXPECT_EQ(index.size(), 1U);
}

TEST(AnswerIndex, keeps_no_more_than_the_young_ones_for_ever) {
  AnswerIndex index{1'000'000};
  constexpr std::uint64_t young = 20'000;
  for (std::uint64_t i = 1; i <= 20 * young; ++i)
    index.add(hash_of(i), i, i > young ? i - young : 1);
  EXPECT_LT(index.size(), 3 * young);
  for (std::uint64_t i = 19 * young; i <= 20 * young; ++i) ASSERT_EQ(index.find(hash_of(i), 1), i);
}

TEST(AnswerIndex, has_room_up_to_its_bound_and_again_when_the_old_have_gone) {
  AnswerIndex index{3};
  for (std::uint64_t i = 1; i <= 3; ++i) {
    EXPECT_TRUE(index.has_room(i, 1));
    index.add(i, i, 1);
  }
  EXPECT_FALSE(index.has_room(4, 1));
  EXPECT_FALSE(index.has_room(4, 3)) << "the old ones lie in other tables";
  EXPECT_TRUE(index.has_room(1 + 1024, 3));
}

}  // namespace
}  // namespace freehold::http::internal
