// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/set_aside.h"

#include <string>

#include "freehold/base/clock.h"
#include "freehold/base/errors.h"

namespace freehold {

std::vector<AsideEvent> list_set_aside(Transaction& transaction, std::size_t events_max) {
  return transaction.books().aside_all(events_max);
}

Result<> redrive(Transaction& transaction, std::string_view consumer, std::string_view key) {
  const auto nothing = [&] {
    return Error{errors::not_found, "nothing of key " + std::string{key} + " is set aside by " +
                                        std::string{consumer}};
  };
  auto events = transaction.books().aside_of(consumer, key);
  if (events.empty()) return nothing();
  AsideEvent& first = events.front();
  first.attempts = 0;
  first.next_try = now();
  first.parked = false;
  if (!transaction.books().update_aside(first)) return nothing();  // applied meanwhile
  return {};
}

}  // namespace freehold
