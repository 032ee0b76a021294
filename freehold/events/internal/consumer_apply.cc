// SPDX-License-Identifier: Apache-2.0
//
// The transactions that apply events as they come. In each, the first statement moves the cursor,
// if it is still where this loop believes and the lease is still this loop's; so effects and cursor
// are one, and a former owner that wakes up changes nothing.
//
// A batch fails as a whole. Its events are then applied singly, and the one that fails alone too is
// set aside with its key, in the transaction that moves the cursor over it.
#include <algorithm>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/base/planted_bug.h"
#include "freehold/base/record.h"
#include "freehold/events/internal/consumer_run.h"

namespace freehold {

using namespace std::chrono_literals;

// Called whenever something may have come: hands the lane a job, unless one is there that has not
// begun, for that one will take this as well. So the next batch is ready before the outcome of the
// one before was heard of, and a batch grows while it waits. What the one before has done is in the
// intake; if it is undone, the next one begins where that one did.
void ConsumerLoop::Run::offer(const PartitionPointer& partition) {
  if (partition->ended || partition->fault || partition->goes_singly) return;
  if (!partition->intake.has_unapplied()) return;
  if (partition->must_go_singly()) return partition->care.give();
  if (partition->offered && !partition->offered->has_begun) return;
  const auto batch = std::make_shared<Batch>(options_.batch_events_max);
  Job job = job_of(partition, batch);
  job.done = [self = shared_from_this(), partition, batch](const Result<>& applied) {
    self->told(partition, batch.get(), applied);
  };
  job.executor = executor_;
  partition->offered = batch;
  ++partition->under_way;
  database_.submit(Urgency::consumer, std::move(job));
}

// Before its commit: nothing happened, and the events come again. After it: all of them had their
// effect, once, and the cursor stands behind them.
Job ConsumerLoop::Run::job_of(const PartitionPointer& partition,
                              const std::shared_ptr<Batch>& batch) {
  const auto self = shared_from_this();
  return {.body =
              [self, partition, batch](SqlTransaction& transaction) {
                return self->apply_batch(transaction, partition, *batch);
              },
          .done = {},
          .names_locks = [self, partition,
                          batch](RowLocks& locks) { self->name_locks(locks, *partition, *batch); }};
}

void ConsumerLoop::Run::told(const PartitionPointer& partition, Batch* batch,
                             const Result<>& applied) {
  --partition->under_way;
  batch->has_begun = true;  // or never will
  const Result<> concluded = conclude(*partition, *batch, applied);
  if (!concluded && (!partition->fault || concluded.error().is(errors::commit_unknown)))
    partition->fault = concluded.error();
  if (partition->ended || partition->fault) return partition->care.give();
  offer(partition);
}

// Takes note of what became of a batch. An error is one of the environment: nothing is wrong with
// the events, and the same is to be tried again.
Result<> ConsumerLoop::Run::conclude(Partition& partition, const Batch& batch,
                                     const Result<>& applied) {
  if (applied) {
    committed(partition, batch);
    if (std::exchange(partition.has_waited, false)) works();
    partition.backoff.reset();
    return {};
  }
  const Error& error = applied.error();
  if (batch.fenced) return fenced();
  if (is_of_environment(error)) return error;
  if (batch.taken.events == 0) {
    end(End::stopped, name_ + ": " + error.text());
  } else if (batch.taken.events == 1) {
    partition.failed = batch.taken.first_event()->id;
    partition.failure = error.text();
  } else {
    partition.singly_through = batch.taken.to.position;
  }
  return {};
}

bool ConsumerLoop::Run::Partition::is_careful_at(const EventId& id) const {
  return careful_events > 0 && id.position <= careful_through;
}

bool ConsumerLoop::Run::Partition::must_go_singly() const {
  const CloudEvent* const next = intake.first_event();
  return next &&
         (failed == next->id || is_careful_at(next->id) || next->id.position <= singly_through);
}

// What does not go by itself: waits for what the environment lacks, and applies singly what must
// be, each when nothing is under way.
Task<> ConsumerLoop::Run::take_care(PartitionPointer partition) {
  const auto self = shared_from_this();
  while (!partition->ended || partition->under_way > 0) {
    if (partition->under_way > 0 || (!partition->fault && !partition->must_go_singly())) {
      co_await partition->care.wait(SteadyClock::time_point::max());
      continue;
    }
    if (!partition->fault) {
      partition->goes_singly = true;
      const Result<> applied = co_await apply_first(partition);
      partition->goes_singly = false;
      if (!applied) partition->fault = applied.error();
    }
    if (partition->fault) co_await outwait_fault(partition);
    offer(partition);
  }
}

Task<> ConsumerLoop::Run::outwait_fault(PartitionPointer partition) {
  partition->has_waited = true;
  waits("database", *partition->fault);
  co_await pause(&partition->care, partition->backoff.next());
  if (partition->fault->is(errors::commit_unknown)) end(End::again, "");
  partition->fault.reset();
}

// The first event by itself. An error is one of the environment.
Task<Result<>> ConsumerLoop::Run::apply_first(PartitionPointer partition) {
  const EventId id = partition->intake.first_event()->id;
  if (partition->failed == id) co_return co_await set_aside(partition, partition->failure, false);
  if (!partition->is_careful_at(id)) co_return co_await apply_alone(partition);
  const auto turn = co_await take_turn(partition);
  if (!turn) co_return Result<>{};
  --partition->careful_events;
  const auto may_be_tried = co_await note_try(id);
  if (!may_be_tried)
    co_return may_be_tried.error().is(errors::not_the_owner) ? fenced() : may_be_tried.error();
  if (!*may_be_tried) co_return co_await set_aside(partition, "the process died of it", true);
  co_return co_await apply_alone(partition);
}

Task<Result<>> ConsumerLoop::Run::apply_alone(PartitionPointer partition) {
  const auto batch = std::make_shared<Batch>(1);
  Job job = job_of(partition, batch);
  const Result<> applied = co_await internal::run_in_lane(
      &database_, {.urgency = Urgency::consumer, .names_locks = std::move(job.names_locks)},
      std::move(job.body));
  co_return conclude(*partition, *batch, applied);
}

// nullopt: the partition has ended.
Task<std::optional<internal::CarefulTurn>> ConsumerLoop::Run::take_turn(
    PartitionPointer partition) {
  const auto waiter = std::make_shared<internal::Waiter>(executor_);
  while (!partition->ended) {
    if (auto turn = internal::CarefulTurn::take(waiter)) co_return turn;
    co_await waiter->woken.wait(SteadyClock::now() + 1s);
  }
  co_return std::nullopt;
}

// After an unclean stop, in a transaction of its own before the event is tried: if the process dies
// of it now, the next start knows. False: it died of it as often as is allowed. not_the_owner:
// nothing was noted.
Task<Result<bool>> ConsumerLoop::Run::note_try(EventId id) {
  const auto noted =
      co_await database_.write([this, id](SqlTransaction& transaction) -> Result<bool> {
        if (!transaction.books().holds_lease(name_, epoch_))
          return Error{errors::not_the_owner, name_};
        if (transaction.books().tries(name_, id) >= options_.crashes_max) return false;
        transaction.books().note_try(name_, id);
        return true;
      });
  FREEHOLD_CRASH_POINT("consumer.after_note_try");
  co_return noted;
}

// What has come by now is what will be applied.
void ConsumerLoop::Run::name_locks(RowLocks& locks, const Partition& partition,
                                   Batch& batch) const {
  batch.take(partition);
  batch.is_taken = true;
  for (const internal::Intake::Item* item : batch.taken.items)
    if (item->event) consumer_.name_locks(locks, item->decoded, item->event->type);
}

void ConsumerLoop::Run::Batch::take(const Partition& partition) {
  has_begun = true;
  taken = partition.intake.take(events_max);
}

Result<> ConsumerLoop::Run::apply_batch(SqlTransaction& transaction,
                                        const PartitionPointer& partition, Batch& batch) const {
  if (transaction.is_looked_at()) return {};  // its events are looked at together, further down
  if (!std::exchange(batch.is_taken, false)) batch.take(*partition);
  if (batch.taken.items.empty()) return {};
  FREEHOLD_TRY(move_cursor(transaction, partition, batch));
  const auto keys_aside = transaction.books().aside_keys(name_);
  transaction.look_ahead(batch.taken.items.size(), [&](std::size_t i) {
    const internal::Intake::Item& item = *batch.taken.items[i];
    if (item.event)
      consumer_.apply(transaction, item.decoded, delivery_of(*item.event, consumer_.source()));
  });
  for (const internal::Intake::Item* item : batch.taken.items) {
    if (!item->event) continue;
    if (std::ranges::find(keys_aside, item->event->partition_key) != keys_aside.end())
      put_aside(transaction, *item->event, "queues behind its key", 0, false);
    else
      consumer_.apply(transaction, item->decoded, delivery_of(*item->event, consumer_.source()));
    FREEHOLD_CRASH_POINT("consumer.after_handler");
  }
  if (SteadyClock::now() >= partition->waypoint_due) {
    transaction.books().note_waypoint(name_, batch.taken.to, now());
    partition->waypoint_due = SteadyClock::now() + options_.waypoint_every;
  }
  FREEHOLD_CRASH_POINT("consumer.before_commit");
  return {};
}

// What follows in the lane begins where this one leaves off, or, if it is undone, where it began.
Result<> ConsumerLoop::Run::move_cursor(SqlTransaction& transaction,
                                        const PartitionPointer& partition, Batch& batch) const {
  EventId from = batch.taken.from;
  EventId to = batch.taken.to;
  if (FREEHOLD_PLANTED_BUG("consumer.cursor_behind_effects"))
    to = std::exchange(from, transaction.books().cursor(name_, from.partition)->at);
  batch.fenced = !transaction.books().move_cursor(name_, from, to, epoch_);
  if (batch.fenced) return Error{errors::not_the_owner, name_};
  transaction.on_rollback(
      [partition, from = batch.taken.from] { partition->intake.applied(from); });
  partition->intake.applied(batch.taken.to);
  FREEHOLD_CRASH_POINT("consumer.after_cursor");
  return {};
}

// Before its commit: the event is tried again. After it: it lies aside with its key, the cursor
// stands behind it, and all other keys go on.
Task<Result<>> ConsumerLoop::Run::set_aside(PartitionPointer partition, std::string why,
                                            bool park) {
  auto& lately = keys_aside_lately();
  if (lately.size() >= options_.keys_aside_max)
    co_return end(End::stopped, name_ + ": more than " + std::to_string(options_.keys_aside_max) +
                                    " keys were set aside in a minute, the last for: " + why),
        Result<>{};
  const std::int64_t at_us = now().time_since_epoch().count();
  lately.push_back(at_us);
  const auto batch = std::make_shared<Batch>(1);
  const Result<> done = co_await internal::run_in_lane(
      &database_, {.urgency = Urgency::consumer},
      [self = shared_from_this(), partition, batch, notes = notes_, why,
       park](SqlTransaction& transaction) {
        return self->set_aside_first(transaction, partition, *batch, notes, why, park);
      });
  if (!done) {
    std::erase(keys_aside_lately(), at_us);
    if (batch->fenced) co_return fenced();
    if (is_of_environment(done.error())) co_return done.error();
    co_return end(End::stopped, name_ + " cannot set an event aside: " + done.error().text()),
        Result<>{};
  }
  const CloudEvent& event = *batch->taken.first_event();
  record(Severity::error, park ? "event parked" : "event set aside",
         {{"consumer", name_},
          {"event", event.id.text()},
          {"type", event.type},
          {"key", event.partition_key},
          {"why", why}});
  {
    const std::lock_guard lock{status_mutex_};
    status_.last_error = why;
  }
  committed(*partition, *batch);
  aside_.give();
  co_return Result<>{};
}

Result<> ConsumerLoop::Run::set_aside_first(SqlTransaction& transaction,
                                            const PartitionPointer& partition, Batch& batch,
                                            const internal::ConsumerNotes& notes,
                                            std::string_view why, bool park) const {
  batch.take(*partition);
  FREEHOLD_TRY(move_cursor(transaction, partition, batch));
  put_aside(transaction, *batch.taken.first_event(), why, park ? options_.attempts_max : 1, park);
  write_notes(transaction, notes);
  FREEHOLD_CRASH_POINT("consumer.after_set_aside");
  return {};
}

void ConsumerLoop::Run::put_aside(SqlTransaction& transaction, const CloudEvent& event,
                                  std::string_view why, int attempts, bool park) const {
  transaction.books().set_aside({.consumer = name_,
                                 .key = std::string{event.partition_key},
                                 .id = event.id,
                                 .json = std::string{event.whole},
                                 .attempts = attempts,
                                 .next_try = attempts == 0 ? now() : now() + retry_after(attempts),
                                 .parked = park,
                                 .why = std::string{why}});
  if (consumer_.set_aside_handler())
    consumer_.set_aside_handler()(transaction, delivery_of(event, consumer_.source(), attempts),
                                  why);
}

void ConsumerLoop::Run::committed(Partition& partition, const Batch& batch) {
  FREEHOLD_CRASH_POINT("consumer.after_commit");
  partition.intake.committed(batch.taken.to);
  partition.room.give();
  const std::lock_guard lock{status_mutex_};
  status_.partitions[batch.taken.to.partition].cursor = batch.taken.to;
  status_.applied += batch.taken.events;
}

std::vector<std::int64_t>& ConsumerLoop::Run::keys_aside_lately() {
  auto& times = notes_.keys_aside_us;
  if (!times) times.emplace();
  std::erase_if(*times, [minute_ago = (now() - 1min).time_since_epoch().count()](std::int64_t at) {
    return at < minute_ago;
  });
  return *times;
}

// The consumer is another instance's now, or was moved: back to waiting for the lease, and to the
// cursors as they are.
Result<> ConsumerLoop::Run::fenced() {
  end(End::again, "");
  return {};
}

}  // namespace freehold
