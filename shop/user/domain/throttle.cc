// SPDX-License-Identifier: Apache-2.0
#include "shop/user/domain/throttle.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "shop/user/contract/user_contract.h"

namespace user {

// The address first: one that is refused cannot fill the memory of accounts.
freehold::Result<> LogInThrottle::begin(std::string_view account, std::string_view address) {
  Window& of_address = window(addresses_, address);
  if (of_address.attempts >= limits_.failures_per_address) return errors::too_many_attempts;
  Window& of_account = window(accounts_, account);
  if (of_account.attempts >= limits_.failures_per_account) return errors::too_many_attempts;
  ++of_account.attempts;
  ++of_address.attempts;
  return {};
}

void LogInThrottle::succeeded(std::string_view account, std::string_view address) {
  accounts_.erase(std::string{account});
  give_back(window(addresses_, address));
}

void LogInThrottle::not_tried(std::string_view account, std::string_view address) {
  give_back(window(accounts_, account));
  give_back(window(addresses_, address));
}

void LogInThrottle::give_back(Window& window) {
  if (window.attempts > 0) --window.attempts;
}

LogInThrottle::Window& LogInThrottle::window(Windows& windows, std::string_view key) {
  const auto now = freehold::SteadyClock::now();
  std::string name{key};
  if (windows.size() >= limits_.entries_max && !windows.contains(name)) forget_oldest(windows);
  Window& window = windows.try_emplace(std::move(name), Window{now}).first->second;
  if (now - window.begun > limits_.window) window = {.begun = now};
  return window;
}

// An eighth at once, so that a flood of names pays for it seldom.
void LogInThrottle::forget_oldest(Windows& windows) {
  std::vector<freehold::SteadyClock::time_point> begun;
  for (const auto& [name, window] : windows) begun.push_back(window.begun);
  const auto last = begun.begin() + static_cast<std::ptrdiff_t>(begun.size() / 8);
  std::ranges::nth_element(begun, last);
  std::erase_if(windows, [&](const auto& entry) { return entry.second.begun <= *last; });
}

}  // namespace user
