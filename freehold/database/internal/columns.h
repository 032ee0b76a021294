// SPDX-License-Identifier: Apache-2.0
//
// How the books write events' ids and hashes in columns. The databases' integers have a sign, so 64
// bits without one are kept as the signed number of the same bits.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "freehold/base/assert.h"
#include "freehold/base/hash.h"
#include "freehold/base/random.h"
#include "freehold/database/books.h"

namespace freehold::internal {

// Partition and position in one integer, so that the log is one B-tree with a narrow key in which
// each partition lies in one piece. Room for 32,768 partitions of 281 million million events.
inline constexpr int position_bits = 48;
inline constexpr std::uint64_t position_max = (std::uint64_t{1} << position_bits) - 1;

constexpr std::int64_t place_of(std::uint32_t partition, std::uint64_t position) {
  FREEHOLD_ASSERT(partition < 1U << 15 && position <= position_max, "a place beyond every log");
  return std::int64_t{partition} << position_bits | static_cast<std::int64_t>(position);
}

constexpr std::int64_t column_of_bits(std::uint64_t bits) {
  return std::bit_cast<std::int64_t>(bits);
}

constexpr std::uint64_t bits_in(std::int64_t column) {
  return std::bit_cast<std::uint64_t>(column);
}

// Which partition of its log an event belongs to.
inline std::uint32_t partition_of(const NewEvent& event, std::uint32_t partitions) {
  return static_cast<std::uint32_t>(
      fnv1a(event.partition_key.empty() ? event.subject : event.partition_key) % partitions);
}

// 0 is the stamp of the place before the first event, so no commit has it.
inline std::uint64_t draw_stamp() {
  std::uint64_t stamp = 0;
  while (stamp == 0) stamp = Random::current().bits();
  return stamp;
}

// For `limit`: the largest there is stands for all.
constexpr std::int64_t limit_of(std::size_t rows_max) {
  constexpr auto all = std::numeric_limits<std::int64_t>::max();
  return static_cast<std::int64_t>(std::min(rows_max, static_cast<std::size_t>(all)));
}

constexpr EventId id_at(std::int64_t place, std::int64_t stamp) {
  return {.partition = static_cast<std::uint32_t>(place >> position_bits),
          .position = static_cast<std::uint64_t>(place) & position_max,
          .stamp = bits_in(stamp)};
}

}  // namespace freehold::internal
