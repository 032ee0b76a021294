// SPDX-License-Identifier: Apache-2.0
#include "shop/money/money.h"

#include <gtest/gtest.h>

#include <limits>

namespace money {
namespace {

constexpr auto most = std::numeric_limits<std::int64_t>::max();

TEST(Money, adds_amounts_of_one_currency) {
  EXPECT_EQ(plus({150, "EUR"}, {49, "EUR"}).value(), (Money{199, "EUR"}));
  EXPECT_TRUE(plus({1, "EUR"}, {1, "USD"}).error().is(errors::mixed_currencies));
}

TEST(Money, an_amount_that_cannot_be_held_is_refused) {
  EXPECT_TRUE(plus({most, "EUR"}, {1, "EUR"}).error().is(errors::amount_too_large));
  EXPECT_TRUE(times({most / 2, "EUR"}, 3).error().is(errors::amount_too_large));
  EXPECT_EQ(times({199, "EUR"}, 3).value(), (Money{597, "EUR"}));
}

TEST(Money, what_comes_from_outside_is_checked) {
  EXPECT_TRUE(check({0, "EUR"}));
  EXPECT_TRUE(check({-1, "EUR"}).error().is(errors::negative_amount));
  for (const char* currency : {"", "eur", "EURO", "E1R"})
    EXPECT_TRUE(check({1, currency}).error().is(errors::malformed_currency)) << currency;
}

}  // namespace
}  // namespace money
