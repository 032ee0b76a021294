// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/strand.hpp>
#include <memory>

#include "freehold/base/clock.h"
#include "freehold/base/task.h"
#include "freehold/saga/internal/saga_pulse.h"
#include "freehold/saga/internal/saga_runner.h"

namespace freehold::internal {

// The loop that sleeps until the next timer or retry of the service's sagas and fires what is due.
// A commit that sets an earlier one rings through the pulse; should a ring be lost (another
// instance set the timer, the calendar was set), the loop looks again after a second. While another
// instance fires what is due it does so as well.
class SagaTimers : public std::enable_shared_from_this<SagaTimers> {
 public:
  SagaTimers(const boost::asio::any_io_executor& executor, std::shared_ptr<SagaRunner> runner,
             SagaPulse& pulse);

  // Once. Once a minute the loop forgets what ended long ago, as well.
  void start();

  // Returns when the loop has ended; without start() at once. Twice is once.
  Task<> stop();

 private:
  using Timer = boost::asio::basic_waitable_timer<SteadyClock>;

  static Task<> run(std::shared_ptr<SagaTimers> self);
  static Task<> end_run(std::shared_ptr<SagaTimers> self);
  Task<Result<Time>> fire_all();
  Task<Result<Time>> try_to_fire_all();
  void ring(Time due);

  const boost::asio::strand<boost::asio::any_io_executor> strand_;
  const std::shared_ptr<SagaRunner> runner_;
  SagaPulse& pulse_;
  std::atomic<bool> started_ = false;

  // On the strand.
  Timer next_;               // ends the sleep
  Timer ended_;              // cancelled when the loop has ended
  Time rung_ = Time::max();  // due before what was armed
  bool stopping_ = false;
  bool has_ended_ = false;
};

}  // namespace freehold::internal
