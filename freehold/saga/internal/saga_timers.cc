// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/saga_timers.h"

#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"

namespace freehold::internal {
namespace {

namespace asio = boost::asio;
using namespace std::chrono_literals;

constexpr std::chrono::microseconds sleep_max = 1s;

}  // namespace

SagaTimers::SagaTimers(const asio::any_io_executor& executor, std::shared_ptr<SagaRunner> runner,
                       SagaPulse& pulse)
    : strand_(asio::make_strand(executor)),
      runner_(std::move(runner)),
      pulse_(pulse),
      next_(strand_),
      ended_(strand_, SteadyClock::time_point::max()) {}

void SagaTimers::start() {
  started_ = true;
  pulse_.on_ring([weak = weak_from_this()](Time due) {
    const auto self = weak.lock();
    if (self) asio::post(self->strand_, [self, due] { self->ring(due); });
  });
  asio::co_spawn(strand_, run(shared_from_this()), asio::detached);
}

void SagaTimers::ring(Time due) {
  rung_ = std::min(rung_, due);
  next_.cancel();
}

// From before the books are read until the sleep begins, every commit that sets a timer rings; so
// none falls between what was read and what is armed.
Task<> SagaTimers::run(std::shared_ptr<SagaTimers> self) {
  Deadline next_minute = deadline_in(1min);
  Deadline next_second = deadline_in(0s);
  while (!self->stopping_) {
    self->rung_ = Time::max();
    self->pulse_.arm(Time::max());
    const auto due = co_await self->try_to_fire_all();
    if (!due) record(Severity::warning, "saga timers wait", {{"why", due.error().text()}});
    if (self->stopping_) break;
    if (SteadyClock::now() >= next_minute) {
      // What is not forgotten now is next time.
      (void)co_await self->runner_->forget_ended();
      next_minute = deadline_in(1min);
    }
    if (SteadyClock::now() >= next_second) {
      next_second = deadline_in(1s);
      // Nor what fails here: within a lease there are three of these seconds.
      (void)co_await self->runner_->keep_lead();
      (void)co_await self->runner_->count_all();
    }
    const Time wake_at = std::min({due ? *due : Time::max(), self->rung_, now() + sleep_max});
    if (self->stopping_) break;
    if (wake_at <= now()) continue;
    self->pulse_.arm(wake_at);
    self->next_.expires_after(wake_at - now());
    boost::system::error_code cancelled;
    co_await self->next_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
  }
  self->has_ended_ = true;
  self->ended_.cancel();
}

// What is thrown here (a row that cannot be read, no memory) must not end the timers of all sagas.
Task<Result<Time>> SagaTimers::try_to_fire_all() {
  try {
    co_return co_await fire_all();
  } catch (const std::exception& exception) {
    co_return Error{errors::internal, exception.what()};
  }
}

// Fires what is due, until nothing is; returns when the next one will be.
Task<Result<Time>> SagaTimers::fire_all() {
  while (!stopping_) {
    const auto fired = co_await runner_->fire_timers();
    FREEHOLD_CO_TRY(const auto tried, co_await runner_->try_again());
    if (!fired) co_return fired.error();
    if (runner_->stands_by()) co_return now() + sleep_max;
    if (*fired + tried == 0) break;
  }
  FREEHOLD_CO_TRY(const auto next, co_await runner_->next_due());
  co_return next.value_or(Time::max());
}

Task<> SagaTimers::stop() {
  if (!started_) co_return;
  pulse_.on_ring({});
  co_await asio::co_spawn(strand_, end_run(shared_from_this()), asio::use_awaitable);
}

Task<> SagaTimers::end_run(std::shared_ptr<SagaTimers> self) {
  self->stopping_ = true;
  self->next_.cancel();
  boost::system::error_code cancelled;
  while (!self->has_ended_)
    co_await self->ended_.async_wait(asio::redirect_error(asio::use_awaitable, cancelled));
}

}  // namespace freehold::internal
