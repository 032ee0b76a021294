// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>
#include <utility>

#include "freehold/base/task.h"

namespace freehold {

namespace internal {

template <class T>
Task<> keep_outcome(Task<T> task, std::optional<T>* outcome) {
  outcome->emplace(co_await std::move(task));
}

}  // namespace internal

// Runs a task on another thread's executor and goes on where the caller ran. What the task throws
// is thrown here.
template <class T>
Task<T> run_on(boost::asio::any_io_executor executor, Task<T> task) {
  std::optional<T> outcome;
  co_await boost::asio::co_spawn(executor, internal::keep_outcome(std::move(task), &outcome),
                                 boost::asio::use_awaitable);
  co_return *std::move(outcome);
}

}  // namespace freehold
