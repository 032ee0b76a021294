// SPDX-License-Identifier: Apache-2.0
#include "shop/user/domain/throttle.h"

#include "shop/user/contract/user_contract.h"

namespace user {

freehold::Result<> LogInThrottle::begin(std::string_view account, std::string_view address) {
  Window& of_account = window(accounts_, account);
  Window& of_address = window(addresses_, address);
  if (of_account.attempts >= limits_.failures_per_account ||
      of_address.attempts >= limits_.failures_per_address)
    return errors::too_many_attempts;
  ++of_account.attempts;
  ++of_address.attempts;
  return {};
}

void LogInThrottle::succeeded(std::string_view account, std::string_view address) {
  accounts_.erase(std::string{account});
  Window& of_address = window(addresses_, address);
  if (of_address.attempts > 0) --of_address.attempts;
}

LogInThrottle::Window& LogInThrottle::window(Windows& windows, std::string_view key) {
  const auto now = freehold::SteadyClock::now();
  if (windows.size() >= limits_.entries_max)
    std::erase_if(windows,
                  [&](const auto& entry) { return now - entry.second.begun > limits_.window; });
  if (windows.size() >= limits_.entries_max) windows.clear();
  Window& window = windows.try_emplace(std::string{key}, Window{now}).first->second;
  if (now - window.begun > limits_.window) window = {.begun = now};
  return window;
}

}  // namespace user
