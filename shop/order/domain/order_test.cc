// SPDX-License-Identifier: Apache-2.0
#include "shop/order/domain/order.h"

#include <gtest/gtest.h>

#include <limits>

namespace order {
namespace {

using product::Line;
using product::ProductId;

ProductRow tea() {
  return {.id = ProductId::make(), .name = "Tea", .price = {450, "EUR"}};
}

TEST(Pricing, an_orders_total_is_the_sum_of_price_times_quantity) {
  const ProductRow green = tea(), black = tea();
  const auto order =
      priced(user::UserId::make(), {{green.id, 2}, {black.id, 1}, {green.id, 1}}, {green, black})
          .value();
  ASSERT_EQ(order.lines.size(), 2U);
  EXPECT_EQ(order.lines[0].quantity, 3);
  EXPECT_EQ(order.lines[0].line_total_minor, 1350);
  EXPECT_EQ(order.total, (money::Money{1800, "EUR"}));
  EXPECT_EQ(order.status, Status::pending);
  ASSERT_EQ(order.history.size(), 1U);
}

TEST(Pricing, what_cannot_be_sold_is_refused) {
  ProductRow gone = tea(), dollars = tea(), dear = tea();
  const ProductRow good = tea();
  gone.sale = product::Sale::withdrawn;
  dollars.price.currency = "USD";
  dear.price.amount_minor = std::numeric_limits<std::int64_t>::max();
  const auto refusal = [](const std::vector<Line>& lines, const std::vector<ProductRow>& products) {
    return std::string{priced(user::UserId::make(), lines, products).error().name()};
  };
  EXPECT_EQ(refusal({{good.id, 1}}, {}), "unknown_product");
  EXPECT_EQ(refusal({{gone.id, 1}}, {gone}), "product_withdrawn");
  EXPECT_EQ(refusal({{good.id, 1}, {dollars.id, 1}}, {good, dollars}), "mixed_currencies");
  EXPECT_EQ(refusal({{dear.id, 2}}, {dear}), "total_too_large");
  EXPECT_EQ(refusal({{dear.id, 1}, {good.id, 1}}, {dear, good}), "total_too_large");
}

TEST(Pricing, a_malformed_line_is_named) {
  const ProductRow good = tea();
  EXPECT_TRUE(merged({}).error().is(errors::malformed_order));
  for (int quantity : {0, -1, quantity_max + 1})
    EXPECT_TRUE(merged({{good.id, 1}, {good.id, quantity}})
                    .error()
                    .detail()
                    .starts_with("lines[1].quantity"));
  EXPECT_FALSE(merged({{good.id, quantity_max}, {good.id, 1}}));
  EXPECT_FALSE(merged(std::vector<Line>(lines_max + 1, Line{good.id, 1})));
}

TEST(Address, is_a_text_or_an_object) {
  EXPECT_TRUE(check_address({R"("1 Long Lane, Leeds")"}));
  EXPECT_TRUE(check_address({R"({"city":"Leeds"})"}));
  for (const char* text : {"null", "7", "[]", "{}", "\"\""})
    EXPECT_FALSE(check_address({text})) << text;
  EXPECT_FALSE(check_address({'"' + std::string(address_bytes_max, 'x') + '"'}));
}

}  // namespace
}  // namespace order
