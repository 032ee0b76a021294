// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/database/transaction.h"
#include "freehold/saga/internal/saga_coroutine.h"
#include "freehold/saga/internal/saga_step.h"

namespace freehold::internal {

// One resume of a saga: the body is run over its journal, then goes on from there. Made for one
// transaction and dropped with it.
class SagaRun {
 public:
  // Where a replay has come to: `waiting` in the journal's last step; `beyond` it, at a step that
  // the journal does not hold, or at the body's end; `diverged` from it (why()).
  enum class Place { waiting, beyond, diverged };

  // Both must outlive the run.
  SagaRun(const Saga& body, SagaRecord& saga) : body_(body), saga_(saga) {}

  // Gives the body the outcomes of its journal, without any effect. Throws what the body throws,
  // and std::runtime_error when an outcome cannot be read.
  Place replay();

  // After `beyond`: whether the next step is all that perform() does, and changes nothing in
  // the database but by what it appends.
  bool will_only_wait() const { return next_ && next_->only_waits(); }

  // After `beyond`: performs and journals step after step, until the saga waits or ends. What it
  // has come to stands in the record, which the caller saves. Throws what the steps throw; the
  // record is then worth nothing.
  void perform(SqlTransaction& transaction);

  const std::string& why() const { return why_; }
  int step() const { return number_; }  // the step that it has come to; counted from 1

  // Compares what the steps ask for with the journal's hashes, too, and keeps the names of those
  // that differ.
  void watch_requests() { watching_ = true; }
  struct ChangedRequest {
    int step;
    std::string name;
  };
  const std::vector<ChangedRequest>& changed_requests() const { return changed_; }

 private:
  Place diverge(const JournalEntry& entry);
  void end(SagaStatus status, std::string_view why);

  const Saga& body_;
  SagaRecord& saga_;
  SagaStep* next_ = nullptr;
  int number_ = 0;
  ArmedUndos undos_;
  std::string why_;
  bool watching_ = false;
  std::vector<ChangedRequest> changed_;
};

class SagaPulse;

// Tells the service's pulse what a resumed saga has come to, once that is committed.
void tell_pulse(SqlTransaction& transaction, SagaPulse& pulse, const SagaRecord& saga);

}  // namespace freehold::internal
