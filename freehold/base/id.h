// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <bit>
#include <compare>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "freehold/base/result.h"

namespace freehold {

using IdBytes = std::array<std::uint8_t, 16>;

IdBytes make_id_bytes();              // UUIDv7 (RFC 9562) of now
using IdText = std::array<char, 36>;  // as in RFC 9562, lower case
IdText id_text(const IdBytes& bytes);
std::string to_text(const IdBytes& bytes);                  // the same
Result<IdBytes> id_bytes_from_text(std::string_view text);  // refused: malformed

// The base of every id type: `struct OrderId : freehold::Id<OrderId> {};`. Ids of two types do not
// convert into one another by accident. Time-ordered (UUIDv7), so rows keep the order in which they
// were made; text on the wire, 16 bytes in the database. A default-made id is nil and means "none
// yet": to write one is a bug.
template <class Self>
struct Id {  // NOLINT(bugprone-crtp-constructor-accessibility): an id is an aggregate
  IdBytes bytes{};

  static Self make() { return Self{make_id_bytes()}; }
  static Result<Self> from_text(std::string_view text) {
    FREEHOLD_TRY(auto read, id_bytes_from_text(text));
    return Self{read};
  }
  std::string text() const { return to_text(bytes); }
  bool is_nil() const { return bytes == IdBytes{}; }

  friend auto operator<=>(const Self& a, const Self& b) { return a.bytes <=> b.bytes; }
  friend bool operator==(const Self& a, const Self& b) { return a.bytes == b.bytes; }
};

template <class T>
concept IdType = std::derived_from<T, Id<T>>;

// The tail of a UUIDv7 is random but for its first two bits, so it serves as the hash: read as a
// big-endian number it has these on top, and what remains of it by any size is random.
struct IdHash {
  template <IdType T>
  std::size_t operator()(const T& id) const {
    static_assert(std::endian::native == std::endian::little);
    std::size_t tail;
    std::memcpy(&tail, id.bytes.data() + 8, sizeof tail);
    return std::byteswap(tail);
  }
};

}  // namespace freehold

template <freehold::IdType T>
struct std::hash<T> : freehold::IdHash {};
