// SPDX-License-Identifier: Apache-2.0
//
// What a log promises about its order, as checks of what was seen of it. They know nothing of how
// it is written: a log that breaks a promise is caught from outside.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "freehold/database/books.h"

namespace freehold {

// One read of one partition, on one snapshot: its head, and every event after `after`.
struct LogReading {
  std::string reader;
  std::uint32_t partition = 0;
  std::uint64_t after = 0;
  EventId head;
  std::vector<EventId> events;
};

// Readings of any number of readers, each reader's in the order in which it made them. Empty if
// and only if: what follows a position is the next one (no gap, nothing seen before its
// predecessor, none twice), the last event is the head, no head went back, a position has one
// stamp for ever, and events of one stamp lie side by side. Else a sentence for each breach.
std::vector<std::string> breaches_of_order(std::span<const LogReading> readings);

// The events of each commit, in commit order from the beginning of the log. Empty if and only if:
// the events of one commit have one stamp, no two commits share one, it is never 0, and each
// partition's positions count up from 1 without a gap.
std::vector<std::string> breaches_of_commits(std::span<const std::vector<EventId>> commits);

}  // namespace freehold
