// SPDX-License-Identifier: Apache-2.0
//
// The clock door. All time in the toolkit and in services comes from here, so that a test can let
// it stand, run and jump. Never std::chrono::system_clock::now() or steady_clock::now() elsewhere.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

#include "freehold/base/result.h"

namespace freehold {

// A point in calendar time, UTC, to the microsecond: what is stored, shown and sent.
using Time = std::chrono::sys_time<std::chrono::microseconds>;

// Where time comes from. The system's by default; a test installs another for the whole process.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Time now() const = 0;                              // calendar time
  virtual std::chrono::nanoseconds since_start() const = 0;  // never goes back

  // The clock in force. Install another (nullptr: the system's) before any thread is started.
  static Clock& current();
  static void install(Clock* clock);
};

inline Time now() {
  return Clock::current().now();
}

// Monotonic time, for deadlines and intervals; a Clock that Asio's waitable timers accept.
struct SteadyClock {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<SteadyClock>;
  static constexpr bool is_steady = true;
  static time_point now() { return time_point{Clock::current().since_start()}; }
};

// The point after which nobody waits for an answer any more.
using Deadline = SteadyClock::time_point;
inline Deadline deadline_in(std::chrono::nanoseconds timeout) {
  return SteadyClock::now() + timeout;
}

// "2026-11-22T17:18:19.123456Z" (RFC 3339), always with six decimals: it orders as text.
std::string to_text(Time time);
Result<Time> time_from_text(std::string_view text);

}  // namespace freehold
