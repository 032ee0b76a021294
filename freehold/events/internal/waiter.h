// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/post.hpp>
#include <memory>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/task.h"
#include "freehold/events/internal/signal.h"

namespace freehold::internal {

// A coroutine that waits for what happens on another thread; it lives on its executor's.
struct Waiter {
  explicit Waiter(const boost::asio::any_io_executor& on) : executor(on), woken(on) {}

  boost::asio::any_io_executor executor;
  Signal woken;
};

// Wakes each of them once, from whichever thread: a commit costs nothing where nobody waits, and
// one posting for each that does. A wake-up is a hint; it may come for nothing, or not at all.
inline void wake(std::vector<std::shared_ptr<Waiter>> waiters) {
  for (auto& waiter : waiters) {
    auto executor = waiter->executor;
    boost::asio::post(executor, [waiter = std::move(waiter)] { waiter->woken.give(); });
  }
}

}  // namespace freehold::internal
