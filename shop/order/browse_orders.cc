// SPDX-License-Identifier: Apache-2.0
#include "shop/order/browse_orders.h"

#include <utility>

namespace order {

using freehold::Result, freehold::SqlTransaction, freehold::Task;
namespace http = freehold::http;

Result<Order> visible(SqlTransaction& transaction, OrderId id, const http::Caller& caller) {
  auto order = find(transaction, id);
  if (!order || !(caller.is("admin") || caller.subject == order->customer_id.text()))
    return errors::unknown_order;
  return *std::move(order);
}

void OrderBrowsing::routes(http::Routes& routes) {
  routes.get<"/api/orders">(&OrderBrowsing::list, *this).signed_in();
  routes.get<"/api/orders/{id}">(&OrderBrowsing::get, *this).signed_in();
}

Task<Result<Order>> OrderBrowsing::get(GetOrder request, http::Call call) {
  co_return co_await database_.read(
      [&](SqlTransaction& transaction) { return visible(transaction, request.id, call.caller()); });
}

// A page ends by count or, where orders are long, by bytes.
Task<Result<OrderPage>> OrderBrowsing::list(ListOrders request, http::Call call) {
  const int limit = request.limit.value_or(20);
  if (limit < 1 || limit > 100) co_return errors::malformed_page;
  std::optional<user::UserId> customer;
  if (!call.caller().is("admin")) {
    FREEHOLD_CO_TRY(const auto id, user::UserId::from_text(call.caller().subject));
    customer = id;
  }
  FREEHOLD_CO_TRY(auto orders, co_await database_.read([&](SqlTransaction& transaction) {
    return page(transaction, customer, request.after, {.rows = static_cast<std::size_t>(limit)});
  }));
  OrderPage answer{.items = std::move(orders.rows), .next = nullptr};
  if (!orders.is_last) answer.next = answer.items.back().id;
  co_return answer;
}

}  // namespace order
