// SPDX-License-Identifier: Apache-2.0
//
// Mistakes that the compiler answers with a sentence. Compiled once without any of them, which must
// succeed, and once for each, which must fail with its sentence (see CMakeLists.txt).
#include "freehold/saga/order_example.h"

namespace freehold::example {

using Small = SagaContext<Hold, Release>;

Saga body(Small saga, Placement order) {
  auto held = co_await saga.request(Hold{order.order, 1}).undo(Release{order.order}).within(1h);
#ifdef MISTAKE_command_not_declared
  co_await saga.tell(Sell{order.order});
#endif
#ifdef MISTAKE_undo_not_declared
  (void)co_await saga.request(Hold{order.order, 1}).undo(Sell{order.order});
#endif
#ifdef MISTAKE_undo_by_another_service
  (void)co_await saga.request(Hold{order.order, 1}).undo(Refund{order.order});
#endif
#ifdef MISTAKE_two_undos
  (void)co_await saga.request(Hold{order.order, 1})
      .undo(Release{order.order})
      .undo(Release{order.order});
#endif
#ifdef MISTAKE_awaits_something_else
  co_await std::suspend_always{};
#endif
#ifdef MISTAKE_body_that_consumes
  (void)co_await saga.run("consume", [order](SqlTransaction&) mutable { order.order.clear(); });
#endif
#ifdef MISTAKE_body_that_waits
  (void)co_await saga.run("wait", [](SqlTransaction&) -> Saga { co_return; });
#endif
#ifdef MISTAKE_failing_with_a_value
  co_await saga.fail("fail", [](SqlTransaction&) { return 1; });
#endif
#ifdef MISTAKE_request_not_awaited
  saga.request(Hold{order.order, 1});
#endif
#ifdef MISTAKE_outcome_dropped
  co_await saga.run("confirm", [](SqlTransaction&) {});
#endif
  if (!held) co_return co_await saga.fail("fail", [](SqlTransaction&) {});
}
constexpr SagaDefinition good{"place_order.v1", body};
#ifdef MISTAKE_name_without_version
constexpr SagaDefinition bad{"place_order", body};
#endif

}  // namespace freehold::example
