// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/definition.h"

#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/events/event.h"
#include "freehold/saga/internal/saga_pulse.h"
#include "freehold/saga/internal/saga_run.h"

namespace freehold::internal {

void start_saga(SqlTransaction& transaction, std::string_view name, std::string_view key,
                std::string input, const std::function<Saga()>& begin) {
  SagaRecord saga{.id = std::string{name} + "/" + std::string{key},
                  .type = std::string{name},
                  .input = std::move(input),
                  .status = SagaStatus::running,
                  .why = {},
                  .started = now()};
  if (!transaction.books().start_saga(saga)) return;
  FREEHOLD_CRASH_POINT("saga.after_start");
  SagaPulse& pulse = SagaPulse::of(own_service());
  transaction.on_commit([&pulse] { pulse.started(); });
  const Saga body = begin();
  SagaRun run{body, saga.id};
  run.replay({});
  tell_pulse(transaction, pulse, run.perform(transaction));
}

}  // namespace freehold::internal
