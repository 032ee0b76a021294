// SPDX-License-Identifier: Apache-2.0
#include "shop/product/domain/reservation.h"

#include <gtest/gtest.h>

#include "shop/product/domain/catalogue.h"

namespace product {
namespace {

TEST(Reservation, lines_of_one_product_become_one) {
  const auto tea = ProductId::make(), cup = ProductId::make();
  const auto lines = merged({{tea, 2}, {cup, 1}, {tea, 3}}).value();
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_EQ(lines[0].product_id, std::min(tea, cup));
  EXPECT_EQ(lines[0].quantity + lines[1].quantity, 6);
}

TEST(Reservation, a_quantity_that_cannot_be_counted_is_refused) {
  const auto tea = ProductId::make();
  EXPECT_TRUE(merged({}).error().is(errors::malformed_quantity));
  EXPECT_TRUE(merged({{tea, 0}}).error().is(errors::malformed_quantity));
  EXPECT_TRUE(merged({{tea, -1}}).error().is(errors::malformed_quantity));
  EXPECT_TRUE(merged({{tea, quantity_max}, {tea, 1}}).error().is(errors::malformed_quantity));
}

}  // namespace
}  // namespace product
