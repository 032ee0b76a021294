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

// One row more than the page has is read: it tells whether there is a next page.
Task<Result<ProductPage>> ProductBrowsing::list(ListProducts request, http::Call) {
  const int limit = request.limit.value_or(20);
  if (limit < 1 || limit > 100) co_return errors::malformed_page;
  const std::string words = search_expression(request.search.value_or(""));

  FREEHOLD_CO_TRY(auto items, co_await database_.read([&](SqlTransaction& transaction) {
    if (words.empty()) return page(transaction, request.after, limit + 1);
    return search_page(transaction, words, request.after, limit + 1);
  }));
  ProductPage answer{.items = std::move(items), .next = nullptr};
  if (answer.items.size() > static_cast<std::size_t>(limit)) {
    answer.items.pop_back();
    answer.next = answer.items.back().id;
  }
  co_return answer;
}

}  // namespace product
