// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace freehold {

// FNV-1a, 64 bits (Fowler, Noll, Vo): the hash that places a partition key in a log. It is stored
// with the log and can never change.
constexpr std::uint64_t fnv1a(std::string_view text, std::uint64_t hash = 14695981039346656037U) {
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211U;
  return hash;
}

}  // namespace freehold
