// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <unordered_map>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"

namespace user {

// Slows down those who guess passwords: so many failed attempts in a window for one account, and so
// many from one network address. An attempt counts from its beginning, so that many at one time
// cannot slip through; success gives it back, and so does a fault of ours. In memory, for one
// thread; forgetful after a restart, which gives a guesser one more window.
class LogInThrottle {
 public:
  struct Limits {
    std::size_t failures_per_account = 10;
    std::size_t failures_per_address = 100;
    std::chrono::seconds window{600};
    std::size_t entries_max = 100'000;  // beyond it the oldest windows are forgotten
  };

  LogInThrottle() : LogInThrottle(Limits{}) {}
  explicit LogInThrottle(Limits limits) : limits_(limits) {}

  // Counts an attempt. Refused: too_many_attempts; nothing is counted then.
  freehold::Result<> begin(std::string_view account, std::string_view address);
  // The attempt succeeded: the account starts afresh, the address gets the attempt back.
  void succeeded(std::string_view account, std::string_view address);
  // The password was never compared: account and address get the attempt back.
  void not_tried(std::string_view account, std::string_view address);

 private:
  struct Window {
    freehold::SteadyClock::time_point begun;
    std::size_t attempts = 0;
  };
  using Windows = std::unordered_map<std::string, Window>;

  Window& window(Windows& windows, std::string_view key);
  static void give_back(Window& window);
  static void forget_oldest(Windows& windows);

  const Limits limits_;
  Windows accounts_;
  Windows addresses_;
};

}  // namespace user
