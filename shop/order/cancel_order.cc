// SPDX-License-Identifier: Apache-2.0
#include "shop/order/cancel_order.h"

#include "shop/order/browse_orders.h"

namespace order {

using freehold::Result, freehold::Saga, freehold::SqlTransaction, freehold::Task;
namespace http = freehold::http;

void OrderCancelling::routes(http::Routes& routes) {
  routes.post<"/api/orders/{id}/cancellation">(&OrderCancelling::cancel, *this)
      .signed_in()
      .answers({202});
}

// Asked twice it is noted once: the second finds the same saga, or the order cancelled.
Task<Result<http::Reply<Order>>> OrderCancelling::cancel(CancelOrder request, http::Call call) {
  co_return co_await database_.write(
      [request, caller = call.caller()](SqlTransaction& transaction) -> Result<http::Reply<Order>> {
        FREEHOLD_TRY(visible(transaction, request.id, caller));
        FREEHOLD_TRY(const Status status, ask_cancellation(transaction, request.id));
        if (status == Status::confirmed) cancel_order.start(transaction, request.id, request);
        return http::Reply<Order>{.status = 202, .body = *find(transaction, request.id)};
      },
      call.trace_parent());
}

// Held or sold, the units go back; that cannot be refused.
Saga give_back(Return saga, CancelOrder order) {
  (void)co_await saga.request(product::ReleaseStock{{order.id.bytes}});
  (void)co_await saga.run("cancel", [id = order.id](SqlTransaction& t) { cancel(t, id); });
}

}  // namespace order
