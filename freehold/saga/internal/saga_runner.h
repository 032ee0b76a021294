// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/events/delivery.h"
#include "freehold/saga/internal/definition.h"
#include "freehold/saga/internal/saga_pulse.h"
#include "freehold/saga/internal/saga_run.h"

namespace freehold::internal {

struct RunnerOptions {
  int attempts_max;
  int deaths_max;
  std::chrono::microseconds retry_after;
  std::chrono::microseconds keep_ended;
  std::string owner;
};

// Resumes sagas: what the consumers of replies and the timers call. Its handlers are bodies of
// transactions: what they have to say to memory they say through on_commit. One of the four frames
// that catch exceptions: those of a saga's body and of its steps.
//
// A resume that failed is kept as a set-aside event of the consumer "saga", by the saga's id: with
// its attempts, when it is tried next, and whether it is parked.
class SagaRunner : public std::enable_shared_from_this<SagaRunner> {
 public:
  static constexpr std::string_view consumer = "saga";

  // The document that says whether the sagas' last life ended in an orderly way, and what it says.
  static constexpr std::string_view state_document = "sagas";
  static constexpr std::string_view open = "open";
  static constexpr std::string_view closed = "closed";
  static constexpr int careful_resumes = 1'000;  // after an unclean stop; a batch of replies

  SagaRunner(Database& database, RunnerOptions options, SagaPulse& pulse)
      : database_(database), options_(std::move(options)), pulse_(pulse) {}

  // Before the first of all other calls.
  void add(SagaProgram program);
  const std::map<std::string, SagaProgram, std::less<>>& programs() const { return programs_; }

  // The next `resumes` are noted in a transaction of their own before they are tried: the process
  // died, perhaps in one of them, and the note counts how often.
  void be_careful(int resumes) { careful_ = resumes; }

  // Ends the step that the reply answers and resumes its saga. Throws std::runtime_error when the
  // reply cannot be read: it is then set aside by its consumer.
  void take_reply(SqlTransaction& transaction, const Delivery& delivery);
  void take_set_aside(SqlTransaction& transaction, const Delivery& delivery);

  // Ends the steps whose time is up and resumes their sagas. Returns how many; fails, the others
  // being fired, when one cannot be.
  Task<Result<std::size_t>> fire_timers();
  // Tries what is due of the resumes that failed, each by itself. Returns how many.
  Task<Result<std::size_t>> try_again();
  // Whether other instances may run sagas on the database.
  bool is_one_of_several() const { return !options_.owner.empty(); }
  // The first statement of what one of several does: whether this one does it, from now on for the
  // length of a lease.
  bool leads(SqlTransaction& transaction);
  // To be called each second: whoever leads goes on to, also while nothing is due, so that the
  // lease changes hands after a death or a stop alone.
  Task<Result<>> keep_lead();
  // Whether the last of these calls has found that another instance fires the timers.
  bool stands_by() const { return stands_by_; }
  // The next moment at which either has something to do, if there is one.
  Task<Result<std::optional<Time>>> next_due() const;

  // In a shared database: what the pulse cannot know of the other instances' work.
  Task<Result<>> count_all();
  // After an orderly stop: another instance may fire the timers at once.
  Task<> leave();

  // Forgets what ended longer ago than `keep_ended`. Returns how many.
  Task<Result<std::size_t>> forget_ended();

  // See Sagas::retry; the body of its transaction.
  Result<> retry(SqlTransaction& transaction, std::string_view saga) const;

 private:
  // Ends the step if it waits, and lets its saga go on; else keeps the outcome as late.
  void wake(SqlTransaction& transaction, std::string_view saga, int step, StepState state,
            std::string_view outcome);
  Task<Result<>> fire(std::vector<std::string> due);
  void fire(SqlTransaction& transaction, const std::string& saga);
  // Ends the waiting step; the saga goes on now or, when that must be noted first, soon.
  void go_on(SqlTransaction& transaction, SagaRecord& saga, StepState state,
             std::string_view outcome);
  static void save(SqlTransaction& transaction, const SagaRecord& saga);

  // Runs the saga over its journal and further; the record, to be saved, says what came of it. What
  // fails is undone, also in the record, and returned.
  Result<> resume(SqlTransaction& transaction, SagaRecord& saga) const;
  Result<> run(SqlTransaction& transaction, SagaRecord& saga) const;
  void stop_diverged(SqlTransaction& transaction, SagaRecord& saga, std::string why) const;

  Task<Result<>> try_again(std::string saga);
  bool note_attempt(SqlTransaction& transaction, std::string_view saga) const;
  bool note_attempt(SqlTransaction& transaction, SagaRecord& saga, AsideEvent attempt) const;
  void attempt(SqlTransaction& transaction, std::string_view saga) const;
  void note_failure(SqlTransaction& transaction, SagaRecord& saga, AsideEvent attempt,
                    const Error& why) const;
  void park(SqlTransaction& transaction, SagaRecord& saga, AsideEvent attempt) const;
  std::chrono::microseconds delay_after(int attempts) const;

  Database& database_;
  const RunnerOptions options_;
  SagaPulse& pulse_;
  std::map<std::string, SagaProgram, std::less<>> programs_;  // by name
  std::atomic<int> careful_ = 0;
  std::atomic<std::uint64_t> epoch_ = 0;  // of the lease; 0: another one has it
  std::atomic<bool> stands_by_ = false;
  Time counted_at_{};  // the timers' strand
};

}  // namespace freehold::internal
