// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "freehold/database/database.h"
#include "freehold/http/routes.h"
#include "freehold/schema/nullable.h"
#include "shop/product/store/products.h"

namespace product {

struct GetProduct {
  ProductId id;
};
BOOST_DESCRIBE_STRUCT(GetProduct, (), (id))

struct ListProducts {
  std::optional<std::string> search;  // words; each finds words that begin with it
  std::optional<int> limit;           // 1 to 100; 20; a page of long texts may hold fewer
  std::optional<ProductId> after;     // the `next` of the page before
};
BOOST_DESCRIBE_STRUCT(ListProducts, (), (search, limit, after))

struct ProductPage {
  std::vector<ProductView> items;
  freehold::Nullable<ProductId> next;  // null: this is the last page
};
BOOST_DESCRIBE_STRUCT(ProductPage, (), (items, next))

// What anybody may see: the products that are on sale, page by page, and each by its id.
class ProductBrowsing {
 public:
  explicit ProductBrowsing(freehold::Database& database) : database_(database) {}
  void routes(freehold::http::Routes& routes);

 private:
  freehold::Task<freehold::Result<freehold::http::Reply<ProductView>>> get(
      GetProduct request, freehold::http::Call call);
  freehold::Task<freehold::Result<ProductPage>> list(ListProducts request,
                                                     freehold::http::Call call);

  freehold::Database& database_;
};

}  // namespace product
