// SPDX-License-Identifier: Apache-2.0
//
// A lane is the one writer of a database: a bounded queue, one thread, one connection. It takes
// what has come, runs body after body in one transaction and commits them together, so that one
// sync to disk pays for all of them (group commit), and no two writers ever wait for one another.
//
// A batch is run up to three times, each time more carefully:
//   1. together, without savepoints: bodies decide first and write after, so a refusal has nothing
//      to undo. One that was refused or threw after it had written ends this run.
//   2. together, behind a savepoint each: that one alone is undone.
//   3. one by one, each in a transaction of its own: when an error undid the whole transaction (a
//      full disk does) or its commit failed. So the one that cannot be done hurts no other.
// A batch whose connection was lost is run again as it was; if its COMMIT was under way then, it is
// first found out what became of it. One that lost its locks to another lane is run again after a
// pause of random length, then one by one, so that two batches do not meet for ever.
// Whatever ends a run undoes all of it, in the database and in memory (on_rollback).
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <span>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/database/database.h"

namespace freehold {

// One connection as its lane drives it; a database driver implements it. Used by one thread.
class LaneTransaction : public SqlTransaction {
 public:
  enum class Savepoints { none, real };

  virtual void begin(Savepoints savepoints) = 0;
  // Whether other lanes may write at the same time. Then, right after begin(), the rows that the
  // bodies have named are locked, in one order.
  virtual bool has_rivals() const { return false; }
  virtual void lock(const RowLocks& locks) { (void)locks; }
  virtual bool is_open() const = 0;  // false after begin(): an error has undone all of it
  // After the last body, before the log is sealed: what was assumed of their changes is found out.
  virtual void end_bodies() {}
  // Durable when it returns. Throws DatabaseFault: commit_unknown, or any other code when nothing
  // was committed.
  virtual void commit() = 0;
  // What became of the commit that threw commit_unknown; waits a little for an answer. Until it has
  // one, nothing else is asked of this transaction. An embedded database never has: only a restart
  // tells.
  enum class Settled { unknown_for_ever, unknown, undone, committed };
  virtual Settled settle() { return Settled::unknown_for_ever; }
  // Whether what undid the transaction has nothing to do with it: the connection broke, or others
  // held its locks in a circle. It may be run again as it was; begin() makes another connection, or
  // throws.
  virtual bool can_run_again() const { return false; }
  // Of these, whether it was undone for the sake of another lane's.
  virtual bool lost_a_race() const { return false; }
  virtual void roll_back() = 0;  // also when nothing is open
  // Between two transactions, nothing being open: upkeep that needs the only writer at rest.
  virtual void rest() {}

  using Transaction::Mark;
  using Transaction::mark;
  using Transaction::open_savepoint;
  using Transaction::release_savepoint;
  using Transaction::set_watches;
  using Transaction::undo_in_memory;
  using Transaction::undo_to_savepoint;
  using Transaction::writes;

  // What the bodies have left: the events to be sealed, and, once all is committed, what runs
  // after it.
  std::span<const NewEvent> appended() const { return events_; }
  std::vector<std::move_only_function<void()>> end_committed();

 protected:
  LaneTransaction() : SqlTransaction(Access::write) {}
};

// What a lane counts; read by any thread, for metrics.
struct LaneStatistics {
  std::atomic<std::uint64_t> batches = 0;    // commits
  std::atomic<std::uint64_t> jobs = 0;       // that were run to an outcome
  std::atomic<std::uint64_t> refused = 0;    // of these, undone by a refusal
  std::atomic<std::uint64_t> failed = 0;     // of these, undone by a fault
  std::atomic<std::uint64_t> reruns = 0;     // batches that were run again
  std::atomic<std::uint64_t> races = 0;      // that were lost to another lane
  std::atomic<std::uint64_t> overloads = 0;  // jobs that found their queue full
  std::atomic<std::uint64_t> events = 0;     // appended to the log
  std::atomic<std::uint64_t> commit_ns = 0;  // spent in COMMIT
};

struct LaneOptions {
  boost::asio::any_io_executor executor;  // where on_commit entries run, and outcomes if not told
  std::size_t requests_max = 4096;        // queued; the next one is answered with overloaded
  std::size_t consumers_max = 4096;
  std::size_t batch_max = 256;
  // Runs on `executor` after the answers of a batch whose commit has an unknown outcome: the
  // process must end, for only a restart can tell what is there. Empty: it exits.
  std::function<void()> on_commit_unknown;
};

class Lane {
 public:
  // The transaction must outlive the lane.
  Lane(LaneTransaction& transaction, LaneOptions options);
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  ~Lane();  // stop()

  // Before the first job.
  void on_appended(std::function<void(std::span<const StoredEvent>)> listener);

  // Any thread.
  void submit(Urgency urgency, Job job);
  // Runs `work` between two batches, before what is queued, and waits for it. Not from the lane's
  // own thread. Refused: shutting_down.
  Result<> pause(std::move_only_function<void()> work);
  // As Database::write_now.
  Result<> write_now(std::move_only_function<Result<>(SqlTransaction&)> body);
  double load() const;  // of the requests' queue, 0 … 1
  std::size_t queued() const;
  bool was_left() const { return was_left_; }  // in the middle of a batch, by a simulated crash
  const LaneStatistics& statistics() const { return statistics_; }

  // Either a thread of its own runs the jobs, or whoever calls run_pending (a simulation, with one
  // thread for everything). run_pending returns when nothing is queued: how many jobs it ran.
  void start();
  std::size_t run_pending();

  // Refuses new jobs with shutting_down, finishes what is queued, ends the thread. Twice is once.
  void stop();

 private:
  struct Entry {
    Job job;
    Result<> outcome;
  };
  struct Pause;
  enum class Run { ended, again_as_it_was, again_with_savepoints, again_one_by_one };
  using Entries = std::span<Entry>;

  const ErrorCode* queue(Urgency urgency, Job& job);
  bool has_work() const;
  void run_thread();
  std::size_t run_next(std::unique_lock<std::mutex>& lock);
  std::vector<Entry> take_batch();
  void run(Entries batch);
  Run run_through_losses(Entries batch, LaneTransaction::Savepoints savepoints);
  void pause_after_race(int races);
  void lock_rows(Entries batch);
  Run run_together(Entries batch, LaneTransaction::Savepoints savepoints);
  void hold_answers(Entries batch);
  void run_body(Entry& entry);
  void check_open();
  void commit();
  void note_committed(bool has_events);
  void take_committed();
  void undo();
  Run end_failed(Entries batch, const Error& failed, bool has_begun, bool had_savepoints);
  Run end_unknown(Entries batch);
  bool settle();
  void leave_unknown(Entries batch);
  void count(Entries batch);
  void complete(std::vector<Entry> batch);
  static std::vector<boost::asio::any_io_executor> executors_of(Entries batch);
  static void tell_those_of(const boost::asio::any_io_executor& executor, Entries batch);

  LaneTransaction& transaction_;
  const LaneOptions options_;
  std::function<void(std::span<const StoredEvent>)> on_appended_;
  LaneStatistics statistics_;
  std::vector<std::move_only_function<void()>> after_commit_;
  bool unsettled_ = false;      // the last commit is unknown, but will be known
  bool broken_ = false;         // after an unknown commit nothing runs any more
  bool end_is_posted_ = false;  // and the process is told so once
  bool was_left_ = false;       // a simulated crash left the lane in the middle of a batch

  mutable std::mutex mutex_;  // guards all below
  std::condition_variable work_has_come_;
  std::condition_variable stops_;
  std::deque<Job> consumers_;
  std::deque<Job> requests_;
  std::deque<Pause*> pauses_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace freehold
