// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "freehold/database/database.h"
#include "freehold/http/routes.h"
#include "shop/product/store/products.h"

namespace product {

struct NewProduct {
  std::string sku;
  std::string name;
  std::optional<std::string> description;
  money::Money price;
  std::int64_t stock = 0;
};
BOOST_DESCRIBE_STRUCT(NewProduct, (), (sku, name, description, price, stock))

struct PatchProduct {
  ProductId id;
  std::optional<std::string> sku;
  std::optional<std::string> name;
  std::optional<std::string> description;
  std::optional<money::Money> price;
};
BOOST_DESCRIBE_STRUCT(PatchProduct, (), (id, sku, name, description, price))

struct WithdrawProduct {
  ProductId id;
};
BOOST_DESCRIBE_STRUCT(WithdrawProduct, (), (id))

// What administrators do to the catalogue. Every change is an event: product.state.v1.
class CatalogueManagement {
 public:
  explicit CatalogueManagement(freehold::Database& database) : database_(database) {}
  void routes(freehold::http::Routes& routes);

 private:
  using Answer = freehold::Result<freehold::http::Reply<ProductView>>;

  freehold::Task<Answer> create(NewProduct request, freehold::http::Call call);
  freehold::Task<Answer> change(PatchProduct request, freehold::http::Call call);
  freehold::Task<freehold::Result<freehold::http::Reply<void>>> withdraw(WithdrawProduct request,
                                                                         freehold::http::Call call);

  freehold::Database& database_;
};

}  // namespace product
