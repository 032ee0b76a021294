// SPDX-License-Identifier: Apache-2.0
#include "shop/product/domain/catalogue.h"

#include <gtest/gtest.h>

namespace product {
namespace {

ProductState a_product() {
  return {.id = ProductId::make(),
          .sku = "TEA-1",
          .name = "Tea",
          .description = "Green",
          .price = {450, "EUR"},
          .version = 1};
}

TEST(Catalogue, a_change_replaces_what_it_names_and_counts_one_version) {
  const auto after = changed(a_product(), {.name = "Green tea"}).value();
  EXPECT_EQ(after.name, "Green tea");
  EXPECT_EQ(after.sku, "TEA-1");
  EXPECT_EQ(after.version, 2);
}

TEST(Catalogue, what_cannot_be_sold_is_refused_and_the_member_named) {
  auto product = a_product();
  product.name.clear();
  EXPECT_TRUE(check(product).error().is(errors::malformed_product));
  EXPECT_TRUE(check(product).error().detail().starts_with("name"));
  EXPECT_TRUE(changed(a_product(), {.price = money::Money{-1, "EUR"}})
                  .error()
                  .is(money::errors::negative_amount));
}

TEST(Catalogue, a_withdrawn_product_stays_so_and_cannot_be_changed) {
  const auto once = withdrawn(a_product());
  EXPECT_EQ(once.version, 2);
  EXPECT_EQ(withdrawn(once).version, 2);
  EXPECT_TRUE(changed(once, {.name = "New"}).error().is(errors::product_withdrawn));
}

TEST(Catalogue, a_search_is_words_whatever_stands_between_them) {
  EXPECT_EQ(search_expression("green  tea"), "\"green\"* \"tea\"*");
  EXPECT_EQ(search_expression("a\" OR b*--"), "\"a\"* \"OR\"* \"b\"* ");
  EXPECT_EQ(search_expression("Käse"), "\"Käse\"*");
  EXPECT_EQ(search_expression(" -*\" "), "");
}

}  // namespace
}  // namespace product
