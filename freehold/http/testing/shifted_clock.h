// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>

#include "freehold/base/clock.h"

namespace freehold::http {

// Real time, and by hand that much off, in force while it lives.
class ShiftedClock final : public Clock {
 public:
  ShiftedClock() { install(this); }
  ~ShiftedClock() override { install(nullptr); }
  Time now() const override { return real_.now() + shift.load(); }
  std::chrono::nanoseconds since_start() const override { return real_.since_start(); }
  std::atomic<std::chrono::hours> shift{std::chrono::hours{0}};

 private:
  Clock& real_ = Clock::current();
};

}  // namespace freehold::http
