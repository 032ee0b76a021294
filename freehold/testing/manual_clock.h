// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>

#include "freehold/base/clock.h"

namespace freehold {

// A clock that stands still until it is told to go on: for tests in which days pass. In force while
// it lives. Asio's timers see it too; one that is due by it fires when its loop looks next.
class ManualClock final : public Clock {
 public:
  ManualClock() { install(this); }
  ManualClock(const ManualClock&) = delete;
  ManualClock& operator=(const ManualClock&) = delete;
  ~ManualClock() override { install(nullptr); }

  void advance(std::chrono::nanoseconds by) { passed_ns_ += by.count(); }

  Time now() const override {
    return begin + std::chrono::duration_cast<std::chrono::microseconds>(since_start());
  }
  std::chrono::nanoseconds since_start() const override {
    return std::chrono::nanoseconds{passed_ns_.load()};
  }

 private:
  static constexpr Time begin = std::chrono::sys_days{std::chrono::year{2026} / 1 / 1};

  std::atomic<std::chrono::nanoseconds::rep> passed_ns_ = 0;
};

}  // namespace freehold
