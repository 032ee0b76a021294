// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <memory>

#include "freehold/base/clock.h"
#include "freehold/base/task.h"

namespace freehold::internal {

using SteadyTimer = boost::asio::basic_waitable_timer<SteadyClock>;

// Something to wait for until it is given or the time is over: a coroutine waits, others of the
// same thread give. What is given while nobody waits is kept for the next who does.
class Signal {
 public:
  explicit Signal(const boost::asio::any_io_executor& executor) : timer_(executor) {}

  // True: it was given; false: it is `until`. One waits at a time.
  Task<bool> wait(SteadyClock::time_point until) {
    if (!given_) {
      timer_.expires_at(until);
      co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    }
    co_return std::exchange(given_, false);
  }

  void give() {
    given_ = true;
    timer_.cancel();
  }

 private:
  SteadyTimer timer_;
  bool given_ = false;
};

}  // namespace freehold::internal
