// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"

namespace user {

// So many attempts in a window for each name. In memory; forgetful after a restart, which gives
// everybody one more window. Callable from any thread.
class Throttle {
 public:
  struct Limits {
    std::size_t attempts_max;
    std::chrono::seconds window{600};
    std::size_t names_max = 100'000;  // beyond it the oldest windows are forgotten
  };

  explicit Throttle(Limits limits) : limits_(limits) {}

  // Refused: too_many_attempts, until the window of this name is over; the error says when.
  freehold::Result<> check(std::string_view name);
  freehold::Result<> begin(std::string_view name);  // the same, and counts an attempt
  void count(std::string_view name);                // an attempt
  void give_back(std::string_view name);            // an attempt that counts for none
  void forget(std::string_view name);               // all its attempts

 private:
  struct Window {
    freehold::SteadyClock::time_point begun;
    std::size_t attempts = 0;
  };

  freehold::Result<Window*> open_window(std::string_view name);
  Window& window(std::string_view name);
  void forget_oldest();

  const Limits limits_;
  std::mutex mutex_;  // guards what follows; held by who calls a private function
  std::unordered_map<std::string, Window> windows_;
};

// Slows down those who guess passwords: so many failed attempts for one account, and so many from
// one network address. An attempt counts from its beginning, so that many at one time cannot slip
// through; success gives it back, and so does a fault of ours. Callable from any thread.
class LogInThrottle {
 public:
  struct Limits {
    std::size_t failures_per_account = 10;
    std::size_t failures_per_address = 100;
    std::chrono::seconds window{600};
    std::size_t entries_max = 100'000;
  };

  LogInThrottle() : LogInThrottle(Limits{}) {}
  explicit LogInThrottle(Limits limits)
      : accounts_({limits.failures_per_account, limits.window, limits.entries_max}),
        addresses_({limits.failures_per_address, limits.window, limits.entries_max}) {}

  // Counts an attempt. Refused: too_many_attempts; nothing is counted then.
  freehold::Result<> begin(std::string_view account, std::string_view address);
  // The attempt succeeded: the account starts afresh, the address gets the attempt back.
  void succeeded(std::string_view account, std::string_view address);
  // The password was never compared: account and address get the attempt back.
  void not_tried(std::string_view account, std::string_view address);

 private:
  std::mutex mutex_;  // what is checked is what is counted
  Throttle accounts_;
  Throttle addresses_;
};

}  // namespace user
