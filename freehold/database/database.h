// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <concepts>
#include <exception>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/internal/body.h"
#include "freehold/database/row_locks.h"
#include "freehold/database/transaction.h"

namespace freehold {

// Which queue of the lane a job waits in: consumers are taken first, and neither starves.
enum class Urgency { consumer, request };

// One transaction to be run by a lane. `body` may run more than once and decides by what it
// returns; `done` is told the outcome once, on `executor` (none: the completion executor), after
// durability and after what the batch registered with on_commit: the body's refusal; overloaded or
// shutting_down (never run); database_unavailable or disk_full (environment, nothing happened);
// commit_unknown; internal with what() (the body threw, also when run alone).
struct Job {
  std::move_only_function<Result<>(SqlTransaction&)> body;
  std::move_only_function<void(Result<>)> done;
  boost::asio::any_io_executor executor{};
  NamesLocks names_locks = {};  // empty: it contends for nothing
  // Runs in a batch of its own: it locks for its whole length what others come to at their end.
  bool is_alone = false;
  // In a shared database: the idempotency key under which the body acts, held and looked up before
  // it runs (Books::hold_answers). The body reads what was found there.
  std::shared_ptr<AnswerHold> hold = {};
};

namespace internal {

// How a body is submitted: as in Job.
struct Submission {
  Urgency urgency = Urgency::request;
  NamesLocks names_locks = {};
  bool is_alone = false;
  std::shared_ptr<AnswerHold> hold = {};
};

}  // namespace internal

// A service's own database. Bodies of transactions are plain synchronous code that touches only its
// transaction and what it captured; they may run more than once; they cannot be coroutines, so no
// transaction is ever open across a wait. Shared by all threads of the service.
class Database {
 public:
  virtual ~Database() = default;

  // Runs body(SqlTransaction&) atomically and returns what it returned, when it is durable. Many
  // are committed together. A refusal undoes this body alone. Fails with: overloaded (the queue is
  // full), shutting_down, database_unavailable, disk_full: nothing happened; commit_unknown:
  // perhaps it did; internal: the body threw, nothing happened. What the body appends carries
  // `trace_parent` (http::Call::trace_parent), unless it is empty. `names_locks`: see row_locks.h.
  // `hold`: see Job.
  template <class Body>
  Task<internal::BodyResult<Body>> write(Body body, std::string trace_parent = {},
                                         NamesLocks names_locks = {},
                                         std::shared_ptr<AnswerHold> hold = {});

  // The same in a batch of its own: for upkeep of the log, which locks a head before its end.
  template <class Body>
  Task<internal::BodyResult<Body>> write_alone(Body body);

  // Runs body(SqlTransaction&) on one snapshot; to write in it is a bug. An embedded database runs
  // it on the calling thread: point reads and pages only; after 1 s it ends with read_too_long. A
  // remote one runs it on a thread of the driver's, perhaps on one snapshot with others that wait.
  template <class Body>
  Task<internal::BodyResult<Body>> read(Body body);

  // Below the API: a read from plain code (start-up, the feed, operator commands). Runs on the
  // calling thread; what the body throws passes through. Fails with read_too_long and
  // database_unavailable.
  virtual Result<> read_now(std::move_only_function<void(SqlTransaction&)> body) = 0;
  // A write from plain code (start-up, migrations, operator commands): waits on the calling thread,
  // which must not be the lane's, until the body is durable or failed. Takes its turn before what
  // is queued; on_commit entries go to the completion executor as ever.
  virtual Result<> write_now(std::move_only_function<Result<>(SqlTransaction&)> body) = 0;

  // Queues a job; callable from any thread. Jobs of one urgency run in the order of submission.
  virtual void submit(Urgency urgency, Job job) = 0;

  // Told, on the lane's thread, the events of each commit, after durability and in commit order:
  // fills the log's tail in memory and wakes its readers. Set before the first write.
  virtual void on_appended(std::function<void(std::span<const StoredEvent>)> listener) = 0;

  // Told, on a thread of the driver's, that another instance of the service has committed events: a
  // hint to read the database, which may come for nothing, or not at all. Where there can be no
  // other instance, never. Set before the first write.
  virtual void on_appended_elsewhere(std::function<void()> listener);

  // Who waits for a subject to change; told by Transaction::changed.
  Watches& watches() { return watches_; }

  // Whether other instances of the service may work on this database at the same time. What they
  // must agree upon is then decided in it, and what they tell each other in memory is a hint.
  virtual bool is_shared() const { return false; }

  // How many of the queue's places are taken, 0 … 1: what admission looks at.
  virtual double load() const = 0;

  // Of a database whose reads wait for a server: `read.body` runs on another thread, as read_now's
  // does, perhaps more than once, perhaps on one snapshot with others that wait; then `read.done`,
  // there. Callable from any thread.
  struct Read {
    std::move_only_function<void(SqlTransaction&)> body;
    // What read_now would have returned, or thrown.
    std::move_only_function<void(Result<>, std::exception_ptr)> done;
  };
  virtual bool reads_elsewhere() const { return false; }
  virtual void submit_read(Read read);

 private:
  template <class Body>
  Task<internal::BodyResult<Body>> write_as(internal::Submission how, Body body,
                                            std::string trace_parent);

  Watches watches_;
};

}  // namespace freehold

#include "freehold/database/internal/database_inline.h"
