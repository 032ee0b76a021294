// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/saga_step.h"

#include <ranges>
#include <stdexcept>
#include <utility>

#include "freehold/base/crash_point.h"

namespace freehold::internal {

std::string StepName::text() const {
  std::string text{kind};
  if (!what.empty()) text.append(" ").append(what);
  return text;
}

bool StepName::is(std::string_view journalled) const {
  if (what.empty()) return journalled == kind;
  return journalled.size() == kind.size() + 1 + what.size() && journalled.starts_with(kind) &&
         journalled[kind.size()] == ' ' && journalled.ends_with(what);
}

void ArmedUndos::send_all(SqlTransaction& transaction) {
  for (Send& send : armed_ | std::views::reverse) {
    send(transaction);
    FREEHOLD_CRASH_POINT("saga.after_undo");
  }
  armed_.clear();
}

std::string request_id_of(std::string_view saga, int step) {
  return std::string{saga} + "/" + std::to_string(step);
}

void fail_unreadable(const Error& error) {
  throw std::runtime_error("this program cannot read a journalled outcome: " + error.text());
}

}  // namespace freehold::internal
