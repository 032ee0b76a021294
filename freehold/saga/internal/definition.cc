// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/definition.h"

#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/events/event.h"
#include "freehold/saga/internal/saga_pulse.h"
#include "freehold/saga/internal/saga_run.h"

namespace freehold::internal {
namespace {

// Whether to ask first if the saga is there, and not leave that to the insert of its row: when its
// first step may write, or where the insert would be assumed to have found no row (decision 0010).
bool must_look_first(const SqlTransaction& transaction, const SagaRun& run) {
  return !run.will_only_wait() || transaction.dialect() != sql::Dialect::sqlite;
}

}  // namespace

void start_saga(SqlTransaction& transaction, std::string_view name, std::string_view key,
                std::string input, const std::function<Saga()>& begin) {
  SagaRecord saga{.id = std::string{name} + "/" + std::string{key},
                  .type = std::string{name},
                  .input = std::move(input),
                  .started = now(),
                  .trace_parent = std::string{transaction.trace_parent()}};
  const Saga body = begin();
  SagaRun run{body, saga};
  run.replay();
  if (must_look_first(transaction, run) && transaction.books().saga(saga.id)) return;
  bool is_there = false;
  const Result<> started = transaction.attempt([&]() -> Result<> {
    SagaPulse& pulse = SagaPulse::of(own_service());
    transaction.on_commit([&pulse] { pulse.started(); });
    run.perform(transaction);
    is_there = !transaction.books().add_saga(saga);
    if (is_there) return errors::not_the_owner;
    FREEHOLD_CRASH_POINT("saga.after_start");
    tell_pulse(transaction, pulse, saga);
    return {};
  });
  if (!started && !is_there) throw Refused{started.error()};
}

}  // namespace freehold::internal
