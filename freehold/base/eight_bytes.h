// SPDX-License-Identifier: Apache-2.0
//
// Eight characters looked at together, as one number; the first of them is its lowest byte.
#pragma once

#include <bit>
#include <cstdint>

namespace freehold {

static_assert(std::endian::native == std::endian::little);

constexpr std::uint64_t each_byte(char c) {
  return 0x0101'0101'0101'0101U * static_cast<unsigned char>(c);
}

// The highest bit of the first byte that is below `bound` (at most 0x80), with others perhaps
// behind it; 0 if there is none.
constexpr std::uint64_t bytes_below(std::uint64_t eight, char bound) {
  return (eight - each_byte(bound)) & ~eight & each_byte('\x80');
}

// The same of the first one that is `c`.
constexpr std::uint64_t bytes_that_are(char c, std::uint64_t eight) {
  return bytes_below(eight ^ each_byte(c), 1);
}

}  // namespace freehold
