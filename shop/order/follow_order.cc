// SPDX-License-Identifier: Apache-2.0
#include "shop/order/follow_order.h"

#include <any>
#include <charconv>
#include <utility>

namespace order {

using freehold::Database, freehold::Result, freehold::SqlTransaction, freehold::Task;
namespace http = freehold::http;

namespace {

// A change that no commit of this process announces (another instance's) is seen after this.
constexpr std::chrono::seconds look_again{1};

Task<Result<Order>> current(Database* database, OrderId id) {
  co_return co_await database->read([id](SqlTransaction& transaction) -> Result<Order> {
    auto order = find(transaction, id);
    if (!order) return errors::unknown_order;
    return *std::move(order);
  });
}

// A cancelled or rejected order changes no more; a confirmed one may still be cancelled.
bool has_ended(const Order& order) {
  return order.status == Status::rejected || order.status == Status::cancelled;
}

std::size_t index_after(std::string_view last_event_id) {
  std::size_t index = 0;
  const auto [end, error] =
      std::from_chars(last_event_id.data(), last_event_id.data() + last_event_id.size(), index);
  return error == std::errc{} ? index + 1 : 0;
}

Task<> send_changes(Database* database, OrderId id, std::size_t next, http::StreamWriter writer) {
  auto watch = database->watches().begin(id.text());
  while (true) {
    auto order = co_await current(database, id);
    if (!order) co_return;
    order->delivery_address.reset();
    for (; next < order->history.size(); ++next) {
      Order then = *order;
      then.history.resize(next + 1);
      then.status = then.history.back().status;
      if (then.status != Status::rejected) then.reason = nullptr;
      http::StreamEvent event{
          .id = std::to_string(next), .event = "order", .data = freehold::to_json(then)};
      if (!co_await writer.send(std::move(event))) co_return;
    }
    if (has_ended(*order)) co_return;
    co_await watch.next(freehold::deadline_in(look_again));
  }
}

}  // namespace

Task<Result<Order>> until_final(Database* database, Order order, freehold::Watches::Watch watch,
                                freehold::Deadline until) {
  while (true) {
    const auto news = co_await watch.next(std::min(until, freehold::deadline_in(look_again)));
    if (const auto* told = std::any_cast<Settlement>(&news))
      co_return settled(std::move(order), *told);
    FREEHOLD_CO_TRY(auto latest, co_await current(database, order.id));
    if (is_final(latest.status) || freehold::SteadyClock::now() >= until) co_return latest;
  }
}

void OrderFollowing::routes(http::Routes& routes) {
  routes.get<"/api/orders/{id}/events">(&OrderFollowing::follow, *this).signed_in();
}

// The first event is the state at the start: a client that was away for several changes and knows
// none of them is told the latest only.
Task<Result<http::EventStream>> OrderFollowing::follow(GetOrder request, http::Call call) {
  FREEHOLD_CO_TRY(const auto order, co_await database_.read([&](SqlTransaction& transaction) {
    return visible(transaction, request.id, call.caller());
  }));
  const auto last = call.header("Last-Event-ID");
  const std::size_t next = last ? index_after(*last) : order.history.size() - 1;
  co_return http::EventStream{
      [database = &database_, id = request.id, next](http::StreamWriter writer) {
        return send_changes(database, id, next, writer);
      }};
}

}  // namespace order
