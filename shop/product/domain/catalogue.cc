// SPDX-License-Identifier: Apache-2.0
#include "shop/product/domain/catalogue.h"

#include <utility>

#include "freehold/base/planted_bug.h"

namespace product {
namespace {

freehold::Result<> check_text(std::string_view member, std::string_view text, std::size_t least,
                              std::size_t most) {
  if (text.size() >= least && text.size() <= most) return {};
  return freehold::Error{errors::malformed_product, std::string{member} + ": " +
                                                        std::to_string(least) + " to " +
                                                        std::to_string(most) + " bytes"};
}

bool separates_words(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x80 && !(c >= '0' && c <= '9') && !(c >= 'a' && c <= 'z') &&
         !(c >= 'A' && c <= 'Z');
}

}  // namespace

freehold::Result<> check(const ProductState& product) {
  FREEHOLD_TRY(check_text("sku", product.sku, 1, 64));
  FREEHOLD_TRY(check_text("name", product.name, 1, 200));
  FREEHOLD_TRY(check_text("description", product.description, 0, 10'000));
  return money::check(product.price);
}

freehold::Result<ProductState> changed(ProductState product, const ProductChange& change) {
  if (product.sale == Sale::withdrawn) return errors::product_withdrawn;
  if (change.sku) product.sku = *change.sku;
  if (change.name) product.name = *change.name;
  if (change.description) product.description = *change.description;
  if (change.price) product.price = *change.price;
  FREEHOLD_TRY(check(product));
  if (!FREEHOLD_PLANTED_BUG("catalogue.version_stands_still")) ++product.version;
  return product;
}

ProductState withdrawn(ProductState product) {
  if (product.sale == Sale::withdrawn) return product;
  product.sale = Sale::withdrawn;
  ++product.version;
  return product;
}

// FTS5 reads "…" as a phrase and a * behind it as a prefix; nothing else of its syntax can come out
// of letters and digits.
std::string search_expression(std::string_view words) {
  std::string expression;
  bool inside = false;
  for (char c : words) {
    if (separates_words(c)) {
      if (inside) expression += "\"* ";
      inside = false;
    } else {
      if (!inside) expression += '"';
      inside = true;
      expression += c;
    }
  }
  if (inside) expression += "\"*";
  return expression;
}

}  // namespace product
