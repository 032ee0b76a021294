// SPDX-License-Identifier: Apache-2.0
//
// The rules of the catalogue; pure, without a database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "shop/product/contract/product_contract.h"

namespace product {

inline constexpr int quantity_max = 1'000'000;
inline constexpr std::int64_t stock_max = 1'000'000'000;

// What a change of a product's details may hold; what is absent stays as it is.
struct ProductChange {
  std::optional<std::string> sku;
  std::optional<std::string> name;
  std::optional<std::string> description;
  std::optional<money::Money> price;
};
BOOST_DESCRIBE_STRUCT(ProductChange, (), (sku, name, description, price))

// Whether a product may be in the catalogue like this. Refused: malformed_product, naming the
// member; negative_amount, malformed_currency.
freehold::Result<> check(const ProductState& product);

// The product after the change, one version on. Refused: as check; product_withdrawn.
freehold::Result<ProductState> changed(ProductState product, const ProductChange& change);

// The product after it was taken out of sale, one version on; unchanged if it was already.
ProductState withdrawn(ProductState product);

// The full-text query that finds products with all of the words, each as a beginning of a word;
// empty when there is no word in it.
std::string search_expression(std::string_view words);

}  // namespace product
