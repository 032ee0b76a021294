// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "freehold/database/database.h"
#include "freehold/http/routes.h"
#include "shop/product/store/stock.h"

namespace product {

struct StockAdjustment {
  ProductId id;
  std::int64_t delta = 0;  // units that came (positive) or went
  std::string reason;
};
BOOST_DESCRIBE_STRUCT(StockAdjustment, (), (id, delta, reason))

struct GetStock {
  ProductId id;
};
BOOST_DESCRIBE_STRUCT(GetStock, (), (id))

// What administrators do to stock: look at it, and adjust it with a reason.
class StockKeeping {
 public:
  explicit StockKeeping(freehold::Database& database) : database_(database) {}
  void routes(freehold::http::Routes& routes);

 private:
  freehold::Task<freehold::Result<freehold::http::Reply<StockView>>> adjust_stock(
      StockAdjustment request, freehold::http::Call call);
  freehold::Task<freehold::Result<StockView>> get(GetStock request, freehold::http::Call call);

  freehold::Database& database_;
};

}  // namespace product
