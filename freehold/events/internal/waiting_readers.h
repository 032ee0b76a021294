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

// One request that waits for events; it lives on the thread of its connection.
struct WaitingReader {
  explicit WaitingReader(const boost::asio::any_io_executor& on) : executor(on), woken(on) {}

  boost::asio::any_io_executor executor;
  Signal woken;
};

// Wakes each of them once, from whichever thread: a commit costs nothing where nobody waits, and
// one posting for each reader that does. A wake-up is a hint; it may come for nothing, or not at
// all.
inline void wake(std::vector<std::shared_ptr<WaitingReader>> readers) {
  for (auto& reader : readers) {
    auto executor = reader->executor;
    boost::asio::post(executor, [reader = std::move(reader)] { reader->woken.give(); });
  }
}

}  // namespace freehold::internal
