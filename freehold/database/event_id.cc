// SPDX-License-Identifier: Apache-2.0
#include <charconv>

#include "freehold/base/errors.h"
#include "freehold/database/books.h"

namespace freehold {
namespace {

// "PP-<19 digits>-<16 hex>"
constexpr std::size_t position_at = 3;
constexpr std::size_t stamp_at = 23;
constexpr std::size_t text_size = 39;

// The number that `digits` says in full: no sign, no space, no capital letter.
template <class Number>
Result<Number> number_in(std::string_view digits, int base) {
  Number number{};
  const char* end = digits.data() + digits.size();
  auto [stopped, fault] = std::from_chars(digits.data(), end, number, base);
  if (fault != std::errc{} || stopped != end) return errors::malformed;
  for (char c : digits)
    if (c < '0' || (c > '9' && c < 'a')) return errors::malformed;
  return number;
}

// Right-aligned in text[from, to), in front of zeros.
void write_number(std::string& text, std::size_t from, std::size_t to, std::uint64_t number,
                  unsigned base) {
  for (std::size_t i = to; i-- > from; number /= base) text[i] = "0123456789abcdef"[number % base];
}

}  // namespace

std::string EventId::text() const {
  std::string text = "00-0000000000000000000-0000000000000000";
  write_number(text, 0, position_at - 1, partition, 10);
  write_number(text, position_at, stamp_at - 1, position, 10);
  write_number(text, stamp_at, text_size, stamp, 16);
  return text;
}

Result<EventId> EventId::from_text(std::string_view text) {
  if (text.size() != text_size || text[position_at - 1] != '-' || text[stamp_at - 1] != '-')
    return errors::malformed;
  EventId id;
  FREEHOLD_TRY(id.partition, number_in<std::uint32_t>(text.substr(0, position_at - 1), 10));
  FREEHOLD_TRY(id.position,
               number_in<std::uint64_t>(text.substr(position_at, stamp_at - 1 - position_at), 10));
  FREEHOLD_TRY(id.stamp, number_in<std::uint64_t>(text.substr(stamp_at), 16));
  return id;
}

std::string_view family_of(std::string_view type) {
  const std::size_t dot = type.rfind('.');
  if (dot == std::string_view::npos || dot + 2 >= type.size() || type[dot + 1] != 'v') return type;
  return type.find_first_not_of("0123456789", dot + 2) == std::string_view::npos
             ? type.substr(0, dot)
             : type;
}

}  // namespace freehold
