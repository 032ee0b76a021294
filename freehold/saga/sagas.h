// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/events/consumer.h"
#include "freehold/saga/saga.h"

namespace freehold {

struct SagaOptions {
  std::int64_t in_flight_min = 1'000;  // admitted whatever the rate; a small bound hurts
  std::chrono::milliseconds in_flight_for{2'000};  // more: what finishes in this time
  int attempts_max = 5;                            // of a resume that fails; then it is parked
  int deaths_max = 3;  // of the process in one resume; then it is parked
  std::chrono::microseconds retry_after{std::chrono::seconds{1}};  // doubles with each attempt
  std::chrono::hours keep_ended{7 * 24};
  // The instance of the service where several may run sagas on one database, drawn at each start:
  // of these one fires the timers. Empty: there is one alone.
  std::string owner = {};
};

// How many sagas are alive, and what they came to since the start.
struct SagaCounts {
  std::int64_t running = 0;
  std::int64_t diverged = 0;
  std::int64_t parked = 0;
  std::uint64_t ended = 0;
  std::uint64_t failed = 0;           // ended by fail()
  std::uint64_t late_outcomes = 0;    // replies and timers that came second
  std::uint64_t unknown_replies = 0;  // of sagas that this database does not hold
  std::uint64_t failed_attempts = 0;  // resumes that failed
};

// A step of a live saga at which its journal and this program differ.
struct SagaFinding {
  enum class Kind { diverged, request_changed, unreadable, unknown_type };
  Kind kind;
  std::string saga;
  int step;
  std::string what;  // a sentence that names both sides
};

// Runs a service's sagas: resumes them when replies and timers come, retries what failed, and
// knows which are alive. Made at start-up, after the migrations; runs(…) for each definition, then
// start(). Everything it knows is in the database: a crash at any moment leaves a state from which
// the next start goes on; it reads the due timers only, not every journal.
//
// A resume that throws is undone, but what woke it stays journalled; it is tried again by timer,
// with twice the delay each time, and parked after `attempts_max`. A saga in whose resume the
// process dies is parked after `deaths_max` of these in a row: for that, the first resumes after an
// unclean stop are noted before they are tried. Parked and diverged sagas still take replies, and
// wait for retry().
//
// Of several instances on a database each resumes the sagas of the replies that its
// consumers take, under a lock of the saga's row. Timers and retries are the business of the one
// that has the lease "saga", which is taken in the transactions that fire them.
//
// Handlers run on the database's thread; the timer's coroutine on the executor; all else on any.
class Sagas {
 public:
  // The database must outlive it. `executor` runs the timers.
  Sagas(Database& database, const boost::asio::any_io_executor& executor, SagaOptions options = {});
  Sagas(const Sagas&) = delete;
  Sagas& operator=(const Sagas&) = delete;
  ~Sagas();

  // Takes a saga into this service's parts list. Two versions of one are two sagas. Before start().
  template <class Context, class Input>
  Sagas& runs(const SagaDefinition<Context, Input>& definition) {
    add(definition.program());
    return *this;
  }
  void add(internal::SagaProgram program);  // the same, for those that know it by name only

  // The services that its sagas send commands to: each needs a consumer replies_from(peer).
  std::vector<std::string> peers() const;

  // The consumer of the replies that a peer's log holds for this service's sagas. Outlives this
  // object, not the database.
  Consumer replies_from(std::string peer);

  // Counts what is alive and starts the timers. Fails when the database cannot be read.
  Result<> start();
  // Ends the timers and returns when the last one that was being fired is done.
  Task<> stop();

  // Whether this program knows the type of every live saga; refused: saga_type_unknown, naming
  // those that it does not. Reads one row for each type.
  Result<> ready() const;

  // Whether one more saga may be started; refused: overloaded, when more are in flight than finish
  // in `in_flight_for`. Asked before the transaction that would start it.
  Result<> admit() const;

  // Replays every live journal without any effect and returns where this program differs. Reads
  // all of them: for the operator, before a rollout. Changed requests alone are no reason not to.
  Result<std::vector<SagaFinding>> check() const;

  // As the commits so far have told, since start(); where there are several instances, of those
  // alive, as the database said at most a second ago; reads nothing. Any thread.
  SagaCounts counts() const;

  // Sagas in that status, by id, after `after_id` ("": from the first).
  Result<std::vector<SagaRecord>> list(SagaStatus status, std::string after_id,
                                       std::size_t sagas_max) const;

  // Lets a parked or diverged saga go on, with a fresh count of attempts. Refused: not_found; and
  // saga_not_waiting, when it is neither parked nor diverged.
  Task<Result<>> retry(std::string saga);

  // Forgets the sagas that ended longer ago than `keep_ended`, 500 to a transaction; returns how
  // many. The timers call it once a minute.
  Task<Result<std::size_t>> forget_ended();

  // --- Below the API: what its consumers and its timer do, for tests and stories ----------------

  // Journals a reply and resumes its saga, in this transaction.
  void take_reply(SqlTransaction& transaction, const Delivery& delivery);
  // Notes in the saga that its command was set aside by its receiver.
  void take_set_aside(SqlTransaction& transaction, const Delivery& delivery);
  // Fires the timers and retries that are due now. Returns how many.
  Task<Result<std::size_t>> fire_due();

 private:
  class Parts;

  const std::unique_ptr<Parts> parts_;
};

}  // namespace freehold
