// SPDX-License-Identifier: Apache-2.0
#include "shop/order/place_order.h"

#include <algorithm>
#include <utility>

#include "freehold/base/errors.h"
#include "shop/order/follow_order.h"
#include "shop/order/store/orders.h"

namespace order {

using freehold::Result, freehold::Saga, freehold::SqlTransaction, freehold::Task;
using namespace std::chrono_literals;
namespace http = freehold::http;

namespace {

struct WantedProduct {
  product::ProductId id;
};
BOOST_DESCRIBE_STRUCT(WantedProduct, (), (id))

}  // namespace

void OrderPlacing::routes(http::Routes& routes) {
  routes.post<"/api/orders">(&OrderPlacing::place, *this).signed_in().answers({201, 202});
}

// 1. The request. Its answer comes out of `call.write`, so the transaction that has the effect
// stores it for a repeat.
Task<OrderPlacing::Answer> OrderPlacing::place(PlaceOrder request, http::IdempotentCall call) {
  FREEHOLD_CO_TRY(sagas_.admit());
  FREEHOLD_CO_TRY(check_address(request.delivery_address));
  FREEHOLD_CO_TRY(const auto customer, user::UserId::from_text(call.caller().subject));
  FREEHOLD_CO_TRY(const auto lines, merged(request.lines));
  FREEHOLD_CO_TRY(const auto products, co_await find_products(lines, call.deadline()));
  FREEHOLD_CO_TRY(auto order, priced(customer, lines, products));

  // Die before the commit: nothing happened. Die after it: the order is pending and its saga goes
  // on by itself.
  const auto accept = [&](SqlTransaction& transaction) -> Result<http::Reply<Order>> {
    FREEHOLD_TRY(check_not_forgotten(transaction, customer));
    insert(transaction, order, request.delivery_address);
    place_order.start(transaction, order.id, {order.id, lines});
    return http::Reply<Order>{
        .status = 202, .body = order, .location = "/api/orders/" + order.id.text()};
  };
  const auto patience = call.wait();
  if (patience == 0s) co_return co_await call.write(database_, accept);

  auto watch = database_.watches().begin(order.id.text());
  FREEHOLD_CO_TRY(auto placed, co_await call.write(database_, accept));
  order.delivery_address = std::move(request.delivery_address);
  const auto until = freehold::deadline_in(patience);
  FREEHOLD_CO_TRY(auto latest,
                  co_await until_final(&database_, std::move(order), std::move(watch), until));
  if (!is_final(latest.status)) co_return placed;
  http::Reply<Order> answer{
      .status = 201, .body = std::move(latest), .location = placed.reply().location};
  co_return std::move(placed).answered_now(std::move(answer));
}

// Names and prices are at hand in the replica. A product that it does not have yet is asked for
// once; the product service being down then refuses only orders of products never heard of.
Task<Result<std::vector<ProductRow>>> OrderPlacing::find_products(std::vector<product::Line> lines,
                                                                  freehold::Deadline deadline) {
  std::vector<product::ProductId> ids;
  ids.reserve(lines.size());
  for (const product::Line& line : lines) ids.push_back(line.product_id);
  FREEHOLD_CO_TRY(auto found, co_await products_.find_all(ids));
  const auto until = std::min(deadline, freehold::deadline_in(1s));  // for all of them
  for (const product::ProductId& id : ids) {
    if (std::ranges::find(found, id, &ProductRow::id) != found.end()) continue;
    auto fetched =
        co_await product_.get<"/api/products/{id}", ProductRow>(WantedProduct{id}, until);
    // A question has no effect, so one that got no answer left nothing unknown behind.
    if (!fetched && fetched.error().kind() == freehold::Kind::indeterminate)
      co_return freehold::errors::peer_unavailable;
    if (!fetched) co_return fetched.error();
    found.push_back(*std::move(fetched));
  }
  co_return found;
}

// 2. The saga. Its pivot is `confirm`: before it all is undone, after it nothing is.
Saga bring_to_its_end(Checkout saga, Placement order) {
  const product::ReservationId reservation{order.id.bytes};

  auto reserved = co_await saga.request(product::ReserveStock{reservation, order.lines})
                      .undo(product::ReleaseStock{reservation})
                      .within(24h);
  if (!reserved) {
    const std::string why{reserved.error().name()};
    co_return co_await saga.fail("reject",
                                 [id = order.id, why](SqlTransaction& t) { reject(t, id, why); });
  }

  auto confirmed =
      co_await saga.run("confirm", [id = order.id](SqlTransaction& t) { return confirm(t, id); });
  if (!confirmed)
    co_return co_await saga.fail("cancel", [id = order.id](SqlTransaction& t) { cancel(t, id); });

  co_await saga.tell(product::SellStock{reservation});
}

}  // namespace order
