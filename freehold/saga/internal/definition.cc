// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/definition.h"

#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/events/event.h"
#include "freehold/saga/internal/saga_pulse.h"
#include "freehold/saga/internal/saga_run.h"

namespace freehold::internal {

void start_saga(SqlTransaction& transaction, std::string_view name, std::string_view key,
                std::string input, const std::function<Saga()>& begin) {
  SagaRecord saga{.id = std::string{name} + "/" + std::string{key},
                  .type = std::string{name},
                  .input = std::move(input),
                  .started = now(),
                  .trace_parent = std::string{transaction.trace_parent()}};
  if (transaction.books().saga(saga.id)) return;
  bool is_another_s = false;  // another instance of this service has started it since
  const Result<> started = transaction.attempt([&]() -> Result<> {
    SagaPulse& pulse = SagaPulse::of(own_service());
    transaction.on_commit([&pulse] { pulse.started(); });
    const Saga body = begin();
    SagaRun run{body, saga};
    run.replay();
    run.perform(transaction);
    is_another_s = !transaction.books().add_saga(saga);
    if (is_another_s) return errors::not_the_owner;
    FREEHOLD_CRASH_POINT("saga.after_start");
    tell_pulse(transaction, pulse, saga);
    return {};
  });
  if (!started && !is_another_s) throw Refused{started.error()};
}

}  // namespace freehold::internal
