// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/internal/careful_turn.h"

#include <mutex>
#include <vector>

namespace freehold::internal {
namespace {

struct Place {
  std::mutex mutex;
  bool taken = false;
  std::vector<std::weak_ptr<Waiter>> waiters;  // one that was dropped waits no more
};

Place& the_place() {
  static Place place;
  return place;
}

}  // namespace

std::optional<CarefulTurn> CarefulTurn::take(const std::shared_ptr<Waiter>& waiter) {
  Place& place = the_place();
  const std::lock_guard lock{place.mutex};
  if (!std::exchange(place.taken, true)) return CarefulTurn{};
  place.waiters.push_back(waiter);
  return std::nullopt;
}

CarefulTurn::~CarefulTurn() {
  if (!held_) return;
  std::vector<std::shared_ptr<Waiter>> woken;
  Place& place = the_place();
  {
    const std::lock_guard lock{place.mutex};
    place.taken = false;
    for (const auto& waiting : std::exchange(place.waiters, {}))
      if (auto waiter = waiting.lock()) woken.push_back(std::move(waiter));
  }
  wake(std::move(woken));
}

}  // namespace freehold::internal
