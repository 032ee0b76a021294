// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "freehold/events/internal/waiter.h"

namespace freehold::internal {

// The right to try an event of which the process may die. There is one in the process, because the
// process dies as a whole: were two events tried at once, both would be held guilty.
class CarefulTurn {
 public:
  // nullopt: somebody has it; `waiter` is woken when it may be free.
  static std::optional<CarefulTurn> take(const std::shared_ptr<Waiter>& waiter);

  CarefulTurn(CarefulTurn&& other) noexcept : held_(std::exchange(other.held_, false)) {}
  CarefulTurn& operator=(CarefulTurn&&) = delete;
  ~CarefulTurn();

 private:
  CarefulTurn() = default;
  bool held_ = true;
};

}  // namespace freehold::internal
