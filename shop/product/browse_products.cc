// SPDX-License-Identifier: Apache-2.0
#include "shop/product/browse_products.h"

#include <utility>

#include "shop/product/domain/catalogue.h"

namespace product {

using freehold::Result, freehold::SqlTransaction, freehold::Task;
namespace http = freehold::http;

void ProductBrowsing::routes(http::Routes& routes) {
  routes.get<"/api/products">(&ProductBrowsing::list, *this).open();
  routes.get<"/api/products/{id}">(&ProductBrowsing::get, *this).open();
}

Task<Result<http::Reply<ProductView>>> ProductBrowsing::get(GetProduct request, http::Call) {
  FREEHOLD_CO_TRY(auto found,
                  co_await database_.read([id = request.id](SqlTransaction& transaction) {
                    return view(transaction, id);
                  }));
  if (!found) co_return errors::unknown_product;
  const std::string version = std::to_string(found->version);
  co_return http::Reply<ProductView>{.body = *std::move(found), .etag = version};
}

// A page ends by count or, where descriptions are long, by bytes.
Task<Result<ProductPage>> ProductBrowsing::list(ListProducts request, http::Call) {
  const int limit = request.limit.value_or(20);
  if (limit < 1 || limit > 100) co_return errors::malformed_page;
  const std::string words = search_expression(request.search.value_or(""));

  FREEHOLD_CO_TRY(auto found, co_await database_.read([&](SqlTransaction& transaction) {
    const freehold::PageLimits limits{.rows = static_cast<std::size_t>(limit)};
    if (words.empty()) return page(transaction, request.after, limits);
    return search_page(transaction, words, request.after, limits);
  }));
  ProductPage answer{.items = std::move(found.rows), .next = nullptr};
  if (!found.is_last) answer.next = answer.items.back().id;
  co_return answer;
}

}  // namespace product
