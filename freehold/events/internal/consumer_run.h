// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/events/consumer_loop.h"
#include "freehold/events/internal/backoff.h"
#include "freehold/events/internal/careful_turn.h"
#include "freehold/events/internal/intake.h"
#include "freehold/events/internal/signal.h"

namespace freehold {

namespace internal {

// What a consumer notes about itself, as the document "consumer/<name>@<source>".
struct ConsumerNotes {
  bool clean = true;   // the last stop was orderly: no event can have killed the process
  std::string report;  // why it stopped itself for its log's sake; empty: it did not
  // While it begins from the states: the heads that were noted before the first page, and how far
  // the pages were applied.
  std::vector<std::string> heads;
  std::string family;
  std::string subject;
  // When keys were set aside in the last minute, by whichever owner: the next one of the same
  // program would set as many aside again.
  std::optional<std::vector<std::int64_t>> keys_aside_us;
};
BOOST_DESCRIBE_STRUCT(ConsumerNotes, (), (clean, report, heads, family, subject, keys_aside_us))

}  // namespace internal

// What ConsumerLoop is made of. One coroutine leads: it takes the lease, looks at the notes of the
// owner before, learns about the log, finds or begins the cursors, starts for each partition a
// reader and a coroutine for what must go singly or has failed, one for what is set aside and one
// that keeps the lease, and decides what follows when they end. Batches have no coroutine: the
// reader, and the outcome of each, hand the lane the next one. All run on one executor. A reader
// that waits at the source is cancelled when they are to end.
class ConsumerLoop::Run : public std::enable_shared_from_this<Run> {
 public:
  Run(Database& database, Feed& source, Consumer consumer, boost::asio::any_io_executor executor,
      ConsumerOptions options);

  void start();
  Task<> stop();
  void abandon();  // the owner goes without stop()
  ConsumerStatus status() const;
  const Consumer& consumer() const { return consumer_; }
  Task<Result<>> rejoin();
  Task<Result<>> rebuild();
  Task<Result<>> redrive(std::string key);

 private:
  // Why the coroutines of a round end.
  enum class End {
    none,
    asked,     // stop()
    again,     // the cursors must be read anew
    diverged,  // the log is not the one that was read
    stopped,   // it would do harm to go on; not noted: the next start tries again
  };

  struct Partition;
  // One batch as its transaction saw it, when it ran last.
  struct Batch {
    explicit Batch(std::size_t at_most) : events_max(at_most) {}
    void take(const Partition& partition);

    const std::size_t events_max;
    std::atomic<bool> has_begun = false;  // what comes from now on may be left to the next one
    internal::Intake::Taken taken{};
    bool is_taken = false;  // for the run that follows: its locks were named
    bool fenced = false;
  };

  struct Partition {
    Partition(const EventId& cursor, std::string log, const boost::asio::any_io_executor& executor,
              const ConsumerOptions& options)
        : intake(cursor),
          log_id(std::move(log)),
          care(executor),
          room(executor),
          backoff(options.backoff_first, options.backoff_max) {}

    bool is_careful_at(const EventId& id) const;
    bool must_go_singly() const;  // the next event

    internal::Intake intake;
    std::string log_id;
    internal::Signal care;  // for take_care()
    internal::Signal room;  // for the reader
    boost::asio::cancellation_signal stop_reading;
    bool ended = false;
    std::shared_ptr<Batch> offered;  // the last that was handed to the lane
    std::size_t under_way = 0;       // handed to it, and not told yet
    bool goes_singly = false;        // take_care() is at it: nothing is offered
    std::optional<Error> fault;      // of the environment: nothing is offered
    bool has_waited = false;         // for the environment, since the last commit
    internal::Backoff backoff;
    // After an unclean stop: events up to here, at most so many, are tried singly, each noted
    // first.
    std::uint64_t careful_through = 0;
    std::size_t careful_events = 0;
    std::uint64_t singly_through = 0;        // a batch failed: its events are tried singly
    std::optional<EventId> failed;           // this one failed alone
    std::string failure;                     // and why
    SteadyClock::time_point waypoint_due{};  // used by bodies only
  };
  using PartitionPointer = std::shared_ptr<Partition>;

  // Of a cursor to a place that its source still holds.
  struct Return {
    std::optional<EventId> from;
    EventId to;
  };

  // consumer_loop.cc: the life of the loop
  Task<> lead();
  Task<> round();
  Task<> rebuild_or_stop();
  Task<Result<>> rebuild_when_it_can_be(std::string report);
  void spawn(Task<> task, boost::asio::cancellation_slot slot = {});
  void end(End why, std::string report);
  bool ending() const { return end_ != End::none; }
  Task<> pause(internal::Signal* signal, SteadyClock::time_point until);
  void waits(std::string_view why, const Error& error);
  void stands_by();
  void shows_stopped();
  void works();

  // consumer_begin.cc: before the first event
  Task<bool> take_lease();
  Task<Result<>> seize_lease();
  static Task<> listen_for_release(std::shared_ptr<Run> self, Watches::Watch watch, Deadline until);
  Task<bool> load_notes();
  Task<bool> describe();
  Task<bool> load_cursors();
  Task<bool> begin();
  Task<bool> begin_from_states();
  Task<bool> apply_states(StatesPage page, std::string family);
  Task<bool> mark_unclean();
  Task<> keep_lease();
  Task<> leave();
  Task<bool> may_begin_again();
  std::string lease_subject() const { return "freehold_lease/" + name_; }
  void write_notes(SqlTransaction& transaction, const internal::ConsumerNotes& notes) const;
  void begin_cursors(SqlTransaction& transaction, const std::vector<EventId>& at) const;
  template <class Body>
  Task<bool> insist(Body body);
  template <class Body>
  Task<bool> insist_as_owner(Body body);

  // consumer_read.cc: the source's log
  Task<> read(PartitionPointer partition);
  Task<Result<Return>> common_place(std::uint32_t partition);
  Task<Result<bool>> source_holds(EventId place);
  Task<Result<>> return_to_common_places();

  // consumer_apply.cc: the transactions of events as they come
  void offer(const PartitionPointer& partition);
  void told(const PartitionPointer& partition, Batch* batch, const Result<>& applied);
  Task<> take_care(PartitionPointer partition);
  Task<> outwait_fault(PartitionPointer partition);
  Task<Result<>> apply_first(PartitionPointer partition);
  Task<Result<>> apply_alone(PartitionPointer partition);
  Result<> conclude(Partition& partition, const Batch& batch, const Result<>& applied);
  Task<std::optional<internal::CarefulTurn>> take_turn(PartitionPointer partition);
  Task<Result<bool>> note_try(EventId id);
  Task<Result<>> set_aside(PartitionPointer partition, std::string why, bool park);
  Job job_of(const PartitionPointer& partition, const std::shared_ptr<Batch>& batch);
  void name_locks(RowLocks& locks, const Partition& partition, Batch& batch) const;
  Result<> apply_batch(SqlTransaction& transaction, const PartitionPointer& partition,
                       Batch& batch) const;
  Result<> set_aside_first(SqlTransaction& transaction, const PartitionPointer& partition,
                           Batch& batch, const internal::ConsumerNotes& notes, std::string_view why,
                           bool park) const;
  Result<> move_cursor(SqlTransaction& transaction, const PartitionPointer& partition,
                       Batch& batch) const;
  void put_aside(SqlTransaction& transaction, const CloudEvent& event, std::string_view why,
                 int attempts, bool park) const;
  void committed(Partition& partition, const Batch& batch);
  std::vector<std::int64_t>& keys_aside_lately();
  Result<> fenced();

  // consumer_retry.cc: what was set aside
  Task<> retry();
  Task<Result<>> retry_one(AsideEvent event);
  Task<Result<bool>> update_aside(AsideEvent event);
  Task<Result<>> apply_aside(AsideEvent event);
  Result<> check_owner(SqlTransaction& transaction, std::uint32_t partition) const;
  std::chrono::milliseconds retry_after(int attempts) const;

  Database& database_;
  Feed& source_;
  const Consumer consumer_;
  const boost::asio::any_io_executor executor_;
  const ConsumerOptions options_;
  const std::string name_;  // of cursors, lease, set-aside events
  const std::vector<std::string> families_;

  // The executor's thread.
  End end_ = End::asked;
  std::string end_report_;
  bool at_work_ = false;  // lead() runs
  bool stop_asked_ = false;
  std::size_t tasks_ = 0;  // of the round
  internal::ConsumerNotes notes_;
  LogDescription log_;
  std::uint64_t epoch_ = 0;
  std::vector<PartitionPointer> partitions_;
  internal::Signal leading_;  // lead() waits for something
  internal::Signal tasks_ended_;
  internal::Signal lead_ended_;
  internal::Signal aside_;  // something was set aside, or is to be tried now
  internal::Signal lease_;

  mutable std::mutex status_mutex_;
  ConsumerStatus status_;
  bool stands_by_ = false;  // another instance owns the consumer
};

// Whether it is the environment that failed: the database, the disk, the load. Nothing is wrong
// with the event then, and it is tried again as it is.
bool is_of_environment(const Error& error);

}  // namespace freehold
