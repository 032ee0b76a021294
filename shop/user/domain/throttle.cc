// SPDX-License-Identifier: Apache-2.0
#include "shop/user/domain/throttle.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "shop/user/contract/user_contract.h"

namespace user {

freehold::Result<> Throttle::check(std::string_view name) {
  const std::scoped_lock lock{mutex_};
  FREEHOLD_TRY(open_window(name));
  return {};
}

freehold::Result<> Throttle::begin(std::string_view name) {
  const std::scoped_lock lock{mutex_};
  FREEHOLD_TRY(Window* const now, open_window(name));
  ++now->attempts;
  return {};
}

void Throttle::count(std::string_view name) {
  const std::scoped_lock lock{mutex_};
  ++window(name).attempts;
}

// The window of this name, if it has room for one more attempt.
freehold::Result<Throttle::Window*> Throttle::open_window(std::string_view name) {
  Window& now = window(name);
  if (now.attempts < limits_.attempts_max) return &now;
  const auto left = now.begun + limits_.window - freehold::SteadyClock::now();
  return freehold::Error{errors::too_many_attempts}.retry_after(
      std::chrono::ceil<std::chrono::seconds>(left));
}

void Throttle::give_back(std::string_view name) {
  const std::scoped_lock lock{mutex_};
  Window& now = window(name);
  if (now.attempts > 0) --now.attempts;
}

void Throttle::forget(std::string_view name) {
  const std::scoped_lock lock{mutex_};
  windows_.erase(std::string{name});
}

Throttle::Window& Throttle::window(std::string_view name) {
  const auto now = freehold::SteadyClock::now();
  std::string key{name};
  if (windows_.size() >= limits_.names_max && !windows_.contains(key)) forget_oldest();
  Window& window = windows_.try_emplace(std::move(key), Window{now}).first->second;
  if (now - window.begun > limits_.window) window = {.begun = now};
  return window;
}

// An eighth at once, so that a flood of names pays for it seldom.
void Throttle::forget_oldest() {
  std::vector<freehold::SteadyClock::time_point> begun;
  begun.reserve(windows_.size());
  for (const auto& [name, window] : windows_) begun.push_back(window.begun);
  const auto last = begun.begin() + static_cast<std::ptrdiff_t>(begun.size() / 8);
  std::ranges::nth_element(begun, last);
  std::erase_if(windows_, [&](const auto& entry) { return entry.second.begun <= *last; });
}

// The address first: one that is refused cannot fill the memory of accounts.
freehold::Result<> LogInThrottle::begin(std::string_view account, std::string_view address) {
  const std::scoped_lock lock{mutex_};
  FREEHOLD_TRY(addresses_.check(address));
  FREEHOLD_TRY(accounts_.check(account));
  accounts_.count(account);
  addresses_.count(address);
  return {};
}

void LogInThrottle::succeeded(std::string_view account, std::string_view address) {
  accounts_.forget(account);
  addresses_.give_back(address);
}

void LogInThrottle::not_tried(std::string_view account, std::string_view address) {
  accounts_.give_back(account);
  addresses_.give_back(address);
}

}  // namespace user
