// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/saga_run.h"

#include "freehold/base/crash_point.h"
#include "freehold/saga/internal/saga_pulse.h"

namespace freehold::internal {

SagaRun::Place SagaRun::replay() {
  for (const JournalEntry& entry : saga_.journal) {
    ++number_;
    next_ = body_.next_step();
    if (!next_ || !next_->name().is(entry.name)) return diverge(entry);
    if (watching_ && next_->request_hash() != entry.request_hash)
      changed_.push_back({number_, entry.name});
    if (entry.state == StepState::waiting) return Place::waiting;
    next_->replay(entry.state, entry.outcome.text, undos_);
  }
  ++number_;
  next_ = body_.next_step();
  return Place::beyond;
}

SagaRun::Place SagaRun::diverge(const JournalEntry& entry) {
  why_ = "step " + std::to_string(number_) + ": the journal holds `" + entry.name +
         "`, this program " + (next_ ? "asks for `" + next_->name().text() + "`" : "ends there");
  return Place::diverged;
}

// The effects of all these steps and the saga's row are written by one transaction: a crash at any
// point in here leaves the saga where it was before, with what woke it still to come.
void SagaRun::perform(SqlTransaction& transaction) {
  for (; next_; next_ = body_.next_step(), ++number_) {
    FREEHOLD_CRASH_POINT("saga.before_step");
    Performed performed = next_->perform({transaction, saga_.id, number_, now()}, undos_);
    FREEHOLD_CRASH_POINT("saga.after_step");
    saga_.journal.push_back({next_->name().text(), next_->request_hash(), performed.state,
                             RawJson{std::move(performed.outcome)}});
    if (performed.state == StepState::waiting) {
      saga_.due = performed.due;
      return;
    }
    if (next_->ends_saga()) return end(SagaStatus::failed, next_->name().what);
  }
  end(SagaStatus::ended, {});
}

void SagaRun::end(SagaStatus status, std::string_view why) {
  saga_.status = status;
  saga_.why = why;
}

void tell_pulse(SqlTransaction& transaction, SagaPulse& pulse, const SagaRecord& saga) {
  if (saga.status == SagaStatus::running) {
    if (saga.due != Time{})
      transaction.on_commit([&pulse, due = saga.due] { pulse.timer_set(due); });
  } else {
    transaction.on_commit(
        [&pulse, failed = saga.status == SagaStatus::failed] { pulse.finished(failed); });
  }
}

}  // namespace freehold::internal
