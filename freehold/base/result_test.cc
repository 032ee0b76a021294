// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/result.h"

#include <gtest/gtest.h>

#include <memory>

#include "freehold/base/errors.h"

namespace freehold {
namespace {

Result<int> half(int number) {
  if (number % 2 != 0) return Error{errors::malformed, "odd"};
  return number / 2;
}

Result<> even(int number) {
  FREEHOLD_TRY(half(number));
  return {};
}

Result<int> quarter(int number) {
  FREEHOLD_TRY(auto once, half(number));
  FREEHOLD_TRY(auto twice, half(once));
  return twice;
}

TEST(Result, try_passes_values_on_and_returns_the_first_error) {
  EXPECT_EQ(quarter(8).value(), 2);
  EXPECT_EQ(quarter(6).error().detail(), "odd");
  EXPECT_TRUE(even(2));
  EXPECT_FALSE(even(3));
}

TEST(Result, a_code_is_an_error) {
  const auto refuse = []() -> Result<std::string> { return errors::forbidden; };
  EXPECT_TRUE(refuse().error().is(errors::forbidden));
}

TEST(Result, holds_what_can_only_be_moved) {
  Result<std::unique_ptr<int>> held = std::make_unique<int>(3);
  EXPECT_EQ(*std::move(held).value(), 3);
}

TEST(ResultDeathTest, the_value_of_an_error_is_a_bug) {
  EXPECT_DEATH((void)half(3).value(), "a bug: .*odd");
}

}  // namespace
}  // namespace freehold
