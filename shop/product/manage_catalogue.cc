// SPDX-License-Identifier: Apache-2.0
#include "shop/product/manage_catalogue.h"

#include <utility>

#include "freehold/base/errors.h"
#include "shop/product/domain/catalogue.h"
#include "shop/product/store/stock.h"

namespace product {

using freehold::Result, freehold::SqlTransaction, freehold::Task;
namespace http = freehold::http;

namespace {

http::Reply<ProductView> reply(SqlTransaction& transaction, int status, ProductId id) {
  const ProductView now = *view(transaction, id);
  return {.status = status,
          .body = now,
          .location = "/api/products/" + id.text(),
          .etag = std::to_string(now.version)};
}

}  // namespace

void CatalogueManagement::routes(http::Routes& routes) {
  routes.post<"/api/products">(&CatalogueManagement::create, *this)
      .requires_role("admin")
      .answers({201});
  routes.patch<"/api/products/{id}">(&CatalogueManagement::change, *this).requires_role("admin");
  routes.del<"/api/products/{id}">(&CatalogueManagement::withdraw, *this).requires_role("admin");
}

Task<CatalogueManagement::Answer> CatalogueManagement::create(NewProduct request, http::Call call) {
  const ProductState details{.id = {},
                             .sku = request.sku,
                             .name = request.name,
                             .description = request.description.value_or(""),
                             .price = request.price,
                             .version = 1};
  FREEHOLD_CO_TRY(check(details));
  if (request.stock < 0 || request.stock > stock_max)
    co_return freehold::Error{errors::malformed_product, "stock: 0 to 1,000,000,000 units"};

  co_return co_await database_.write(
      [details, stock = request.stock](SqlTransaction& transaction) -> Answer {
        ProductState product = details;
        product.id = ProductId::make();
        FREEHOLD_TRY(insert(transaction, product));
        begin_stock(transaction, product.id, stock);
        return reply(transaction, 201, product.id);
      },
      call.trace_parent());
}

// If-Match is compared inside the transaction, so of two changes to one version the second is
// refused.
Task<CatalogueManagement::Answer> CatalogueManagement::change(PatchProduct request,
                                                              http::Call call) {
  FREEHOLD_CO_TRY(const std::string_view tag, call.if_match());
  const std::string read_version{tag};
  co_return co_await database_.write(
      [request, read_version](SqlTransaction& transaction) -> Answer {
        const auto before = find(transaction, request.id);
        if (!before) return errors::unknown_product;
        if (read_version != "*" && read_version != std::to_string(before->version))
          return freehold::errors::precondition_failed;
        FREEHOLD_TRY(const auto after,
                     changed(*before, freehold::narrowed<ProductChange>(request)));
        FREEHOLD_TRY(replace(transaction, after));
        return reply(transaction, 200, request.id);
      },
      call.trace_parent());
}

Task<Result<http::Reply<void>>> CatalogueManagement::withdraw(WithdrawProduct request,
                                                              http::Call call) {
  co_return co_await database_.write(
      [id = request.id](SqlTransaction& transaction) -> Result<http::Reply<void>> {
        const auto before = find(transaction, id);
        if (!before) return errors::unknown_product;
        if (before->sale == Sale::on_sale) FREEHOLD_TRY(replace(transaction, withdrawn(*before)));
        return http::Reply<void>{};
      },
      call.trace_parent(),
      // Who reserves holds it too: nothing is sold on a look that is older than the withdrawal.
      [id = request.id](freehold::RowLocks& locks) { locks.add(stock_rows, id); });
}

}  // namespace product
