// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/lane.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "freehold/base/clock.h"
#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/base/random.h"
#include "freehold/base/record.h"
#include "freehold/database/fault.h"

namespace freehold {
namespace {

// A quarter of every batch is for requests, if there are any, however many consumers wait.
constexpr std::size_t requests_share = 4;

// How often a batch is run again as it was, and how often it may lose to another lane before it is
// run one by one, and a body alone before it is given up.
constexpr int losses_max = 3;
constexpr int races_together_max = 1;
constexpr int races_alone_max = 8;
constexpr std::chrono::milliseconds race_pause_max{10};  // times the races that were lost

void exit_now() {
  std::_Exit(EXIT_FAILURE);
}

// False: a job that must be alone is next, or was taken.
bool move_first(std::deque<Job>& from, std::size_t count, std::vector<Job>& to) {
  for (; count > 0; --count) {
    const bool is_alone = from.front().is_alone;
    if (is_alone && !to.empty()) return false;
    to.push_back(std::move(from.front()));
    from.pop_front();
    if (is_alone) return false;
  }
  return true;
}

}  // namespace

std::vector<std::move_only_function<void()>> LaneTransaction::end_committed() {
  events_.clear();
  on_rollback_.clear();
  return std::exchange(on_commit_, {});
}

// Work that waits for its turn on the stack of whoever asked for it.
struct Lane::Pause {
  std::move_only_function<void()> work;
  std::condition_variable finished;
  bool is_finished = false;
};

Lane::Lane(LaneTransaction& transaction, LaneOptions options)
    : transaction_(transaction), options_(std::move(options)) {
  FREEHOLD_ASSERT(options_.executor, "a lane needs an executor for its outcomes");
}

Lane::~Lane() {
  stop();
}

void Lane::on_appended(std::function<void(std::span<const StoredEvent>)> listener) {
  on_appended_ = std::move(listener);
}

void Lane::submit(Urgency urgency, Job job) {
  if (const ErrorCode* why_not = queue(urgency, job)) {
    boost::asio::post(job.executor ? job.executor : options_.executor,
                      [done = std::move(job.done), why_not]() mutable { done(*why_not); });
  } else {
    work_has_come_.notify_one();
  }
}

// Takes the job over, or says why not and leaves it.
const ErrorCode* Lane::queue(Urgency urgency, Job& job) {
  const bool is_consumer = urgency == Urgency::consumer;
  const std::lock_guard lock{mutex_};
  if (stopping_) return &errors::shutting_down;
  std::deque<Job>& jobs = is_consumer ? consumers_ : requests_;
  if (jobs.size() >= (is_consumer ? options_.consumers_max : options_.requests_max)) {
    ++statistics_.overloads;
    return &errors::overloaded;
  }
  jobs.push_back(std::move(job));
  return nullptr;
}

Result<> Lane::pause(std::move_only_function<void()> work) {
  std::unique_lock lock{mutex_};
  if (stopping_) return errors::shutting_down;
  if (!thread_.joinable()) {
    lock.unlock();
    work();
    return {};
  }
  FREEHOLD_ASSERT(thread_.get_id() != std::this_thread::get_id(), "the lane waits for itself");
  Pause pause{.work = std::move(work), .finished = {}};
  pauses_.push_back(&pause);
  work_has_come_.notify_one();
  pause.finished.wait(lock, [&] { return pause.is_finished; });
  return {};
}

Result<> Lane::write_now(std::move_only_function<Result<>(SqlTransaction&)> body) {
  std::vector<Entry> batch(1);
  batch.front().job.body = std::move(body);
  Result<> outcome;
  FREEHOLD_TRY(pause([&] {
    run(batch);
    outcome = batch.front().outcome;
    complete(std::move(batch));
  }));
  return outcome;
}

std::size_t Lane::queued() const {
  const std::lock_guard lock{mutex_};
  return consumers_.size() + requests_.size();
}

double Lane::load() const {
  const std::lock_guard lock{mutex_};
  return static_cast<double>(requests_.size()) / static_cast<double>(options_.requests_max);
}

void Lane::start() {
  FREEHOLD_ASSERT(!thread_.joinable(), "a lane has one thread");
  thread_ = std::thread{[this] { run_thread(); }};
}

void Lane::run_thread() {
  std::unique_lock lock{mutex_};
  for (;;) {
    work_has_come_.wait(lock, [this] { return stopping_ || has_work(); });
    if (!has_work()) return;
    run_next(lock);
  }
}

std::size_t Lane::run_pending() {
  std::unique_lock lock{mutex_};
  std::size_t jobs = 0;
  while (has_work()) jobs += run_next(lock);
  return jobs;
}

void Lane::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  work_has_come_.notify_one();
  stops_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  } else if (!was_left_) {
    run_pending();
  }
}

bool Lane::has_work() const {
  return !pauses_.empty() || !consumers_.empty() || !requests_.empty();
}

// Called and returns with the lock held. What a simulated crash throws leaves from here: then the
// lane stays as the dead process would have left it.
std::size_t Lane::run_next(std::unique_lock<std::mutex>& lock) {
  if (!pauses_.empty()) {
    Pause& pause = *pauses_.front();
    pauses_.pop_front();
    lock.unlock();
    pause.work();
    lock.lock();
    pause.is_finished = true;
    pause.finished.notify_one();
    return 0;
  }
  std::vector<Entry> batch = take_batch();
  const std::size_t jobs = batch.size();
  lock.unlock();
  run(batch);
  complete(std::move(batch));
  transaction_.rest();
  lock.lock();
  return jobs;
}

// Consumers first, because what they do has been accepted already; requests keep their share. A job
// that must be alone ends the batch before it.
std::vector<Lane::Entry> Lane::take_batch() {
  const std::size_t reserved = std::min(requests_.size(), options_.batch_max / requests_share);
  const std::size_t consumers = std::min(consumers_.size(), options_.batch_max - reserved);
  const std::size_t requests = std::min(requests_.size(), options_.batch_max - consumers);
  std::vector<Job> jobs;
  jobs.reserve(consumers + requests);
  if (move_first(consumers_, consumers, jobs)) move_first(requests_, requests, jobs);
  std::vector<Entry> batch(jobs.size());
  for (std::size_t i = 0; i < jobs.size(); ++i) batch[i].job = std::move(jobs[i]);
  return batch;
}

void Lane::run(Entries batch) {
  using enum LaneTransaction::Savepoints;
  was_left_ = true;
  Run run = run_through_losses(batch, none);
  if (run != Run::ended) ++statistics_.reruns;
  if (run == Run::again_with_savepoints) run = run_through_losses(batch, real);
  if (run == Run::again_one_by_one)
    for (Entry& entry : batch) run_through_losses({&entry, 1}, real);
  count(batch);
}

Lane::Run Lane::run_through_losses(Entries batch, LaneTransaction::Savepoints savepoints) {
  const int races_max = batch.size() > 1 ? races_together_max : races_alone_max;
  int races = 0;
  Run run = run_together(batch, savepoints);
  for (int losses = 0; run == Run::again_as_it_was && losses < losses_max + races; ++losses) {
    if (transaction_.lost_a_race()) {
      ++statistics_.races;
      if (++races > races_max) return batch.size() > 1 ? Run::again_one_by_one : Run::ended;
      pause_after_race(races);
    }
    run = run_together(batch, savepoints);
  }
  return run;
}

// The other one has what this one lost to; at once, it would be met again.
void Lane::pause_after_race(int races) {
  const auto at_most = static_cast<std::uint64_t>(race_pause_max / std::chrono::microseconds{1});
  const std::chrono::microseconds pause{
      Random::current().below(at_most * static_cast<std::uint64_t>(races))};
  std::unique_lock lock{mutex_};
  stops_.wait_for(lock, pause, [this] { return stopping_; });
}

void Lane::lock_rows(Entries batch) {
  if (!transaction_.has_rivals()) return;
  RowLocks locks;
  for (Entry& entry : batch)
    if (entry.job.names_locks) entry.job.names_locks(locks);
  transaction_.lock(locks);
}

// Runs the bodies and commits them in one transaction, or leaves nothing of it and says how they
// must be run again. One alone behind a savepoint ends, unless its connection or its locks were
// lost.
Lane::Run Lane::run_together(Entries batch, LaneTransaction::Savepoints savepoints) {
  if (broken_ || !settle()) {
    for (Entry& entry : batch) entry.outcome = errors::database_unavailable;
    return Run::ended;
  }
  std::optional<Error> failed;
  bool has_begun = false;
  try {
    transaction_.begin(savepoints);
    has_begun = true;
    hold_answers(batch);
    lock_rows(batch);
    transaction_.look_ahead(batch.size(),
                            [&](std::size_t i) { (void)batch[i].job.body(transaction_); });
    for (Entry& entry : batch) run_body(entry);
    commit();
    return Run::ended;
  } catch (const internal::MustRunAlone&) {
    FREEHOLD_ASSERT(savepoints == LaneTransaction::Savepoints::none, "savepoints were there");
  } catch (const DatabaseFault& fault) {
    failed = fault.error();
  } catch (const std::exception& exception) {
    failed = Error{errors::internal, exception.what()};
  }
  if (failed && failed->is(errors::commit_unknown)) return end_unknown(batch);
  undo();
  if (!failed) return Run::again_with_savepoints;
  return end_failed(batch, *failed, has_begun, savepoints == LaneTransaction::Savepoints::real);
}

// All keys of the batch at once, before anything else is locked: so two lanes never wait for one
// another in a circle, and a key that another instance has answered under costs one body, not the
// batch.
void Lane::hold_answers(Entries batch) {
  std::vector<AnswerHold*> holds;
  for (const Entry& entry : batch)
    if (entry.job.hold) holds.push_back(entry.job.hold.get());
  if (!holds.empty()) transaction_.books().hold_answers(holds);
}

Lane::Run Lane::end_failed(Entries batch, const Error& failed, bool has_begun,
                           bool had_savepoints) {
  if (transaction_.can_run_again() || !has_begun) {
    for (Entry& entry : batch) entry.outcome = failed;
    return has_begun ? Run::again_as_it_was : Run::ended;
  }
  if (batch.size() > 1 || !had_savepoints) return Run::again_one_by_one;
  if (batch.front().outcome) batch.front().outcome = failed;  // else the body has said why itself
  return Run::ended;
}

Lane::Run Lane::end_unknown(Entries batch) {
  using enum LaneTransaction::Settled;
  switch (transaction_.settle()) {
    case committed:
      take_committed();
      return Run::ended;
    case undone:
      undo();
      for (Entry& entry : batch) entry.outcome = errors::database_unavailable;
      return Run::again_as_it_was;
    case unknown:
      unsettled_ = true;
      for (Entry& entry : batch) entry.outcome = errors::commit_unknown;
      return Run::ended;
    case unknown_for_ever:
      undo();
      leave_unknown(batch);
      return Run::ended;
  }
  return Run::ended;
}

// Whether nothing of an earlier batch is unknown any more. Its callers have had their answer; what
// follows a commit follows it now.
bool Lane::settle() {
  if (!unsettled_) return true;
  switch (transaction_.settle()) {
    case LaneTransaction::Settled::committed:
      take_committed();
      break;
    case LaneTransaction::Settled::undone:
      undo();
      break;
    default:
      return false;
  }
  unsettled_ = false;
  return true;
}

// Leaves the transaction with all that the body did, or with none of it. Throws when the batch
// cannot go on.
void Lane::run_body(Entry& entry) {
  const LaneTransaction::Mark start = transaction_.mark();
  const int savepoint = transaction_.open_savepoint();
  try {
    entry.outcome = entry.job.body(transaction_);
  } catch (const internal::Refused& refused) {
    entry.outcome = refused.error;
  } catch (const DatabaseFault& fault) {
    entry.outcome = fault.error();
  } catch (const std::exception& exception) {
    entry.outcome = Error{errors::internal, exception.what()};
  }
  check_open();
  if (entry.outcome || transaction_.writes() == start.writes) {
    transaction_.release_savepoint(savepoint);
  } else {
    transaction_.undo_to_savepoint(savepoint);
  }
  if (!entry.outcome) transaction_.undo_in_memory(start);
}

// A full disk may have undone everything, whatever a body made of that error; the next statement
// would commit by itself.
void Lane::check_open() {
  if (!transaction_.is_open())
    throw DatabaseFault(errors::database_unavailable, "an error has undone the transaction");
}

void Lane::commit() {
  transaction_.end_bodies();
  const bool has_events = !transaction_.appended().empty();
  if (has_events) transaction_.books().seal(transaction_.appended());
  FREEHOLD_CRASH_POINT("lane.after_seal");
  check_open();
  FREEHOLD_CRASH_POINT("lane.before_commit");
  const auto start = SteadyClock::now();
  transaction_.commit();
  statistics_.commit_ns += static_cast<std::uint64_t>((SteadyClock::now() - start).count());
  FREEHOLD_CRASH_POINT("lane.after_commit");
  // What failed here would be taken for a failed commit, and all of it done a second time.
  try {
    note_committed(has_events);
  } catch (const std::exception& exception) {
    FREEHOLD_ASSERT(false, exception.what());
  }
}

void Lane::note_committed(bool has_events) {
  const std::vector<StoredEvent> events =
      has_events ? transaction_.books().sealed() : std::vector<StoredEvent>{};
  ++statistics_.batches;
  statistics_.events += events.size();
  take_committed();
  if (on_appended_ && !events.empty()) on_appended_(events);
}

void Lane::take_committed() {
  std::ranges::move(transaction_.end_committed(), std::back_inserter(after_commit_));
}

void Lane::undo() {
  transaction_.roll_back();
  transaction_.undo_in_memory({});
}

std::vector<boost::asio::any_io_executor> Lane::executors_of(Entries batch) {
  std::vector<boost::asio::any_io_executor> executors;
  for (const Entry& entry : batch)
    if (std::ranges::find(executors, entry.job.executor) == executors.end())
      executors.push_back(entry.job.executor);
  return executors;
}

void Lane::tell_those_of(const boost::asio::any_io_executor& executor, Entries batch) {
  for (Entry& entry : batch)
    if (entry.job.done && entry.job.executor == executor) entry.job.done(std::move(entry.outcome));
}

void Lane::leave_unknown(Entries batch) {
  broken_ = true;
  for (Entry& entry : batch) entry.outcome = errors::commit_unknown;
  record(Severity::error, "a commit has an unknown outcome; the process ends",
         {{"jobs", batch.size()}});
}

void Lane::count(Entries batch) {
  statistics_.jobs += batch.size();
  for (const Entry& entry : batch) {
    if (entry.outcome) continue;
    const Kind kind = entry.outcome.error().kind();
    const bool is_fault =
        kind == Kind::internal || kind == Kind::unavailable || kind == Kind::indeterminate;
    ++(is_fault ? statistics_.failed : statistics_.refused);
  }
}

// One wake-up of each executor a batch. What follows the commit runs before the answers: a caller
// that has its answer finds caches fresh.
void Lane::complete(std::vector<Entry> batch) {
  FREEHOLD_CRASH_POINT("lane.before_completions");
  auto tell = [after = std::exchange(after_commit_, {}), own = options_.executor,
               batch = std::make_shared<std::vector<Entry>>(std::move(batch))]() mutable {
    for (auto& what : after) what();
    for (Entry& entry : *batch)
      if (!entry.job.executor) entry.job.executor = own;
    for (const auto& elsewhere : executors_of(*batch))
      if (elsewhere != own)
        boost::asio::post(elsewhere, [batch, elsewhere] { tell_those_of(elsewhere, *batch); });
    tell_those_of(own, *batch);
  };
  boost::asio::post(options_.executor, std::move(tell));
  if (broken_ && !std::exchange(end_is_posted_, true))
    boost::asio::post(options_.executor,
                      options_.on_commit_unknown ? options_.on_commit_unknown : exit_now);
  was_left_ = false;
}

}  // namespace freehold
