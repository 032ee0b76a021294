// SPDX-License-Identifier: Apache-2.0
#include "shop/product/adjust_stock.h"

#include "shop/product/domain/catalogue.h"

namespace product {

using freehold::Result, freehold::SqlTransaction, freehold::Task;
namespace http = freehold::http;

void StockKeeping::routes(http::Routes& routes) {
  routes.post<"/api/products/{id}/stock-adjustments">(&StockKeeping::adjust_stock, *this)
      .requires_role("admin")
      .answers({201});
  routes.get<"/api/products/{id}/stock">(&StockKeeping::get, *this).requires_role("admin");
}

Task<Result<http::Reply<StockView>>> StockKeeping::adjust_stock(StockAdjustment request,
                                                                http::Call) {
  if (request.delta == 0 || request.delta > stock_max || request.delta < -stock_max)
    co_return freehold::Error{errors::malformed_adjustment, "delta: not 0, at most 1,000,000,000"};
  if (request.reason.empty() || request.reason.size() > 500)
    co_return freehold::Error{errors::malformed_adjustment, "reason: 1 to 500 bytes"};

  co_return co_await database_.write(
      [request](SqlTransaction& transaction) -> Result<http::Reply<StockView>> {
        FREEHOLD_TRY(adjust(transaction, request.id, request.delta, request.reason));
        return http::Reply<StockView>{.status = 201, .body = *find_stock(transaction, request.id)};
      },
      {}, [id = request.id](freehold::RowLocks& locks) { locks.add(stock_rows, id); });
}

Task<Result<StockView>> StockKeeping::get(GetStock request, http::Call) {
  FREEHOLD_CO_TRY(const auto stock,
                  co_await database_.read([id = request.id](SqlTransaction& transaction) {
                    return find_stock(transaction, id);
                  }));
  if (!stock) co_return errors::unknown_product;
  co_return *stock;
}

}  // namespace product
