// SPDX-License-Identifier: Apache-2.0
//
// The catalogue in the database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/database/transaction.h"
#include "shop/product/contract/product_contract.h"

namespace product {

// A product as its readers see it, with what can be ordered of it now.
struct ProductView {
  ProductId id;
  std::string sku;
  std::string name;
  std::string description;
  money::Money price;
  Sale sale = Sale::on_sale;
  std::int64_t available = 0;
  std::int64_t version = 0;
};
BOOST_DESCRIBE_STRUCT(ProductView, (),
                      (id, sku, name, description, price, sale, available, version))

// To change it, in a transaction that writes: nobody else does until that ends.
std::optional<ProductState> find(freehold::SqlTransaction& transaction, ProductId id);
// To show it.
std::optional<ProductView> view(freehold::SqlTransaction& transaction, ProductId id);

// Products on sale with ids after `after`, by id. Products that are added meanwhile
// have later ids, so that no page shows one twice or leaves one out.
freehold::Page<ProductView> page(freehold::SqlTransaction& transaction,
                                 std::optional<ProductId> after, freehold::PageLimits limits);
// The same of those that a full-text expression finds (domain/catalogue.h: search_expression).
freehold::Page<ProductView> search_page(freehold::SqlTransaction& transaction,
                                        std::string_view expression, std::optional<ProductId> after,
                                        freehold::PageLimits limits);

// Both append the product's state to the log, in this transaction. Refused: sku_taken. What is
// inserted has an id that was made in this transaction: then ids are in the order of commits, and a
// page that was read leaves nothing behind.
freehold::Result<> insert(freehold::SqlTransaction& transaction, const ProductState& product);
freehold::Result<> replace(freehold::SqlTransaction& transaction, const ProductState& product);

}  // namespace product
