// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/consumer_loop.h"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <exception>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/events/internal/consumer_run.h"
#include "freehold/events/set_aside.h"

namespace freehold {

namespace asio = boost::asio;

ConsumerLoop::ConsumerLoop(Database& database, Feed& source, Consumer consumer,
                           asio::any_io_executor executor, ConsumerOptions options)
    : run_(std::make_shared<Run>(database, source, std::move(consumer), std::move(executor),
                                 std::move(options))) {}

ConsumerLoop::~ConsumerLoop() {
  run_->abandon();
}

void ConsumerLoop::start() {
  run_->start();
}

Task<> ConsumerLoop::stop() {
  return run_->stop();
}

ConsumerStatus ConsumerLoop::status() const {
  return run_->status();
}

const Consumer& ConsumerLoop::consumer() const {
  return run_->consumer();
}

Task<Result<>> ConsumerLoop::rejoin() {
  return run_->rejoin();
}

Task<Result<>> ConsumerLoop::rebuild() {
  return run_->rebuild();
}

Task<Result<>> ConsumerLoop::redrive(std::string key) {
  return run_->redrive(std::move(key));
}

std::uint64_t ConsumerStatus::lag() const {
  std::uint64_t sum = 0;
  for (const PartitionProgress& partition : partitions) sum += partition.lag();
  return sum;
}

bool is_of_environment(const Error& error) {
  return error.is(errors::database_unavailable) || error.is(errors::disk_full) ||
         error.is(errors::overloaded) || error.is(errors::read_too_long) ||
         error.is(errors::commit_unknown) || error.is(errors::shutting_down);
}

ConsumerLoop::Run::Run(Database& database, Feed& source, Consumer consumer,
                       asio::any_io_executor executor, ConsumerOptions options)
    : database_(database),
      source_(source),
      consumer_(std::move(consumer)),
      executor_(std::move(executor)),
      options_(std::move(options)),
      name_(consumer_.cursor_name()),
      families_(consumer_.families()),
      leading_(executor_),
      tasks_ended_(executor_),
      lead_ended_(executor_),
      aside_(executor_),
      lease_(executor_) {}

void ConsumerLoop::Run::start() {
  if (std::exchange(at_work_, true)) return;
  stop_asked_ = false;
  {
    const std::lock_guard lock{status_mutex_};
    status_ = ConsumerStatus{.state = ConsumerState::waiting};
  }
  asio::co_spawn(
      executor_, [self = shared_from_this()] { return self->lead(); },
      [self = shared_from_this()](const std::exception_ptr& fault) {
        FREEHOLD_ASSERT(!fault, "a consumer's leading coroutine failed");
        self->at_work_ = false;
        self->lead_ended_.give();
      });
}

Task<> ConsumerLoop::Run::stop() {
  const auto self = shared_from_this();
  stop_asked_ = true;
  end(End::asked, "");
  while (at_work_) co_await lead_ended_.wait(SteadyClock::time_point::max());
}

void ConsumerLoop::Run::abandon() {
  asio::post(executor_, [self = shared_from_this()] {
    self->stop_asked_ = true;
    self->end(End::asked, "");
  });
}

ConsumerStatus ConsumerLoop::Run::status() const {
  const std::lock_guard lock{status_mutex_};
  return status_;
}

// The first reason counts. Everybody is woken, sees it and leaves.
void ConsumerLoop::Run::end(End why, std::string report) {
  if (ending()) return;
  end_ = why;
  end_report_ = std::move(report);
  for (const PartitionPointer& partition : partitions_) {
    partition->ended = true;
    partition->care.give();
    partition->room.give();
    partition->stop_reading.emit(asio::cancellation_type::terminal);
  }
  leading_.give();
  aside_.give();
  lease_.give();
}

// What a task throws is a fault that nobody foresaw: the consumer stops and says so. A reader that
// was cancelled throws as well.
void ConsumerLoop::Run::spawn(Task<> task, asio::cancellation_slot slot) {
  ++tasks_;
  const auto ended = [self = shared_from_this()](const std::exception_ptr& fault) {
    try {
      if (fault) std::rethrow_exception(fault);
    } catch (const std::exception& exception) {
      self->end(End::stopped, self->name_ + ": " + exception.what());
    }
    if (--self->tasks_ == 0) self->tasks_ended_.give();
  };
  asio::co_spawn(executor_, std::move(task), asio::bind_cancellation_slot(slot, ended));
}

Task<> ConsumerLoop::Run::pause(internal::Signal* signal, SteadyClock::time_point until) {
  while (!ending() && SteadyClock::now() < until) co_await signal->wait(until);
}

void ConsumerLoop::Run::waits(std::string_view why, const Error& error) {
  const std::lock_guard lock{status_mutex_};
  const std::string text = std::string{why} + ": " + error.text();
  if (status_.last_error != text)
    record(Severity::warning, "consumer waits", {{"consumer", name_}, {"error", text}});
  status_.state = ConsumerState::waiting;
  status_.last_error = text;
}

// Another instance owns the consumer: nothing is wrong.
void ConsumerLoop::Run::stands_by() {
  const std::lock_guard lock{status_mutex_};
  if (!std::exchange(stands_by_, true))
    record(Severity::info, "consumer stands by", {{"consumer", name_}});
  status_.state = ConsumerState::waiting;
  status_.last_error = Error{errors::not_the_owner, name_}.text();
  status_.partitions.clear();
  status_.keys_aside = 0;
}

void ConsumerLoop::Run::shows_stopped() {
  const std::lock_guard lock{status_mutex_};
  status_.state = ConsumerState::stopped;
  status_.report = end_report_;
  if (!end_report_.empty())
    record(Severity::error, "consumer stopped", {{"consumer", name_}, {"report", end_report_}});
}

void ConsumerLoop::Run::works() {
  const std::lock_guard lock{status_mutex_};
  if (std::exchange(stands_by_, false)) status_.last_error.clear();
  status_.state = ConsumerState::running;
}

Task<> ConsumerLoop::Run::lead() {
  const auto self = shared_from_this();
  while (!stop_asked_) {
    end_ = End::none;
    co_await round();
    if (end_ == End::diverged) co_await rebuild_or_stop();
    if (end_ != End::stopped && end_ != End::diverged) continue;
    shows_stopped();
    if (!co_await may_begin_again()) break;
  }
  if (end_ != End::asked) co_return;
  co_await leave();
  end_report_.clear();
  shows_stopped();
}

// One life between two reads of the cursors. When it returns, end_ says why.
Task<> ConsumerLoop::Run::round() {
  if (!co_await take_lease()) co_return;
  spawn(keep_lease());  // what comes before the first event may take longer than the lease lasts
  const bool is_ready = co_await load_notes() && co_await describe() && co_await load_cursors() &&
                        co_await mark_unclean();
  // Where it is to end already, end() may not have seen the partitions: nobody would end their
  // tasks.
  if (is_ready && !ending()) {
    works();
    for (const PartitionPointer& partition : partitions_) {
      spawn(read(partition), partition->stop_reading.slot());
      spawn(take_care(partition));
    }
    spawn(retry());
  }
  while (tasks_ > 0) co_await tasks_ended_.wait(SteadyClock::time_point::max());
  partitions_.clear();
}

// The log is not the one that was read. A replica begins anew; all others stop, and stay stopped
// over restarts, until a person decides. Who was replaced meanwhile has nothing to report: the new
// owner sees for itself.
Task<> ConsumerLoop::Run::rebuild_or_stop() {
  std::string report = end_report_;
  if (consumer_.rebuild()) {
    record(Severity::error, "consumer begins anew", {{"consumer", name_}, {"report", report}});
    const Result<> rebuilt = co_await rebuild_when_it_can_be(report);
    if (end_ == End::asked) co_return;  // the next start will find it diverged again
    if (rebuilt) {
      end_ = End::again;
      co_return;
    }
    report += "; it could not begin anew: " + rebuilt.error().text();
    end_ = End::diverged;
  }
  end_report_ = report;
  notes_.report = report;
  notes_.clean = true;
  const auto noted = co_await database_.write([this](SqlTransaction& transaction) {
    const bool is_owner = transaction.books().holds_lease(name_, epoch_);
    if (is_owner) write_notes(transaction, notes_);
    return is_owner;
  });
  if (noted && !*noted) end_ = End::again;
  if (!noted)
    record(Severity::error, "a consumer's report was not kept",
           {{"consumer", name_}, {"error", noted.error().text()}});
}

// A source that was just restored may go away once more: what passes is waited for, until stop().
Task<Result<>> ConsumerLoop::Run::rebuild_when_it_can_be(std::string report) {
  internal::Backoff backoff{options_.backoff_first, options_.backoff_max};
  end_ = End::none;  // so that stop() is heard
  for (;;) {
    Result<> rebuilt = co_await consumer_.rebuild()(report);
    if (rebuilt || ending()) co_return rebuilt;
    const Kind kind = rebuilt.error().kind();
    if (kind != Kind::unavailable && kind != Kind::indeterminate) co_return rebuilt;
    waits(consumer_.source(), rebuilt.error());
    co_await pause(&leading_, backoff.next());
  }
}

Task<Result<>> ConsumerLoop::Run::rebuild() {
  const auto self = shared_from_this();
  if (!consumer_.rebuild()) co_return Error{errors::not_found, name_ + " has no way to begin anew"};
  co_await stop();
  Result<> rebuilt = co_await consumer_.rebuild()("asked for");
  if (rebuilt)
    rebuilt = co_await database_.write([this](SqlTransaction& transaction) {
      transaction.books().seize_lease(name_, options_.owner, options_.lease);
      write_notes(transaction, {});
    });
  start();
  co_return rebuilt;
}

Task<Result<>> ConsumerLoop::Run::redrive(std::string key) {
  const auto self = shared_from_this();
  FREEHOLD_CO_TRY(co_await database_.write([this, key](SqlTransaction& transaction) {
    return freehold::redrive(transaction, name_, key);
  }));
  aside_.give();
  co_return Result<>{};
}

}  // namespace freehold
