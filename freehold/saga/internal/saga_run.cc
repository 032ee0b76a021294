// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/saga_run.h"

#include "freehold/base/crash_point.h"
#include "freehold/saga/internal/saga_pulse.h"

namespace freehold::internal {

SagaRun::Place SagaRun::replay(std::span<const JournalEntry> journal) {
  for (const JournalEntry& entry : journal) {
    ++number_;
    next_ = body_.next_step();
    if (!next_ || entry.step != number_ || !next_->name().is(entry.name)) return diverge(entry);
    if (watching_ && next_->request_hash() != entry.request_hash)
      changed_.push_back({number_, entry.name});
    if (entry.state == StepState::waiting) return Place::waiting;
    next_->replay(entry.state, entry.outcome, undos_);
  }
  ++number_;
  next_ = body_.next_step();
  return Place::beyond;
}

SagaRun::Place SagaRun::diverge(const JournalEntry& entry) {
  why_ = "step " + std::to_string(entry.step) + ": the journal holds `" + entry.name +
         "`, this program " + (next_ ? "asks for `" + next_->name().text() + "`" : "ends there");
  return Place::diverged;
}

// Every step's effects and its row are written by one transaction: a crash at any point in here
// leaves the saga where it was before, with what woke it still to come.
SagaRun::Outcome SagaRun::perform(SqlTransaction& transaction) {
  for (; next_; next_ = body_.next_step(), ++number_) {
    FREEHOLD_CRASH_POINT("saga.before_step");
    Performed performed = next_->perform({transaction, id_, number_, now()}, undos_);
    FREEHOLD_CRASH_POINT("saga.after_step");
    transaction.books().add_step(
        id_, {number_, next_->name().text(), next_->request_hash(), performed.state,
              std::move(performed.outcome), performed.due});
    FREEHOLD_CRASH_POINT("saga.after_journal");
    if (performed.state == StepState::waiting) return {SagaStatus::running, {}, performed.due};
    if (next_->ends_saga()) {
      std::string why{next_->name().what};
      FREEHOLD_CRASH_POINT("saga.before_failed_end");
      transaction.books().end_saga(id_, SagaStatus::failed, why);
      return {SagaStatus::failed, std::move(why), {}};
    }
  }
  FREEHOLD_CRASH_POINT("saga.before_end");
  transaction.books().end_saga(id_, SagaStatus::ended, {});
  FREEHOLD_CRASH_POINT("saga.after_end");
  return {SagaStatus::ended, {}, {}};
}

void tell_pulse(SqlTransaction& transaction, SagaPulse& pulse, const SagaRun::Outcome& outcome) {
  if (outcome.status == SagaStatus::running) {
    if (outcome.due != Time{})
      transaction.on_commit([&pulse, due = outcome.due] { pulse.timer_set(due); });
  } else {
    transaction.on_commit(
        [&pulse, failed = outcome.status == SagaStatus::failed] { pulse.finished(failed); });
  }
}

}  // namespace freehold::internal
