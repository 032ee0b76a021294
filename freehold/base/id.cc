// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/id.h"

#include "freehold/base/clock.h"
#include "freehold/base/errors.h"
#include "freehold/base/random.h"

namespace freehold {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

// What each character stands for as a hexadecimal digit; -1: it is none.
constexpr std::array<std::int8_t, 256> value_of_digit = [] {
  std::array<std::int8_t, 256> values;
  values.fill(-1);
  for (std::size_t value = 0; value < digits.size(); ++value) {
    const char c = digits[value];
    values[static_cast<unsigned char>(c)] = static_cast<std::int8_t>(value);
    if (c >= 'a')
      values[static_cast<unsigned char>(c - 'a' + 'A')] = values[static_cast<unsigned char>(c)];
  }
  return values;
}();

constexpr int digit(char c) {
  return value_of_digit[static_cast<unsigned char>(c)];
}

}  // namespace

// RFC 9562, 5.7, with method 3 of 6.2: the 12 bits behind the milliseconds hold the fraction of
// the millisecond, so that ids made within one millisecond stay in order.
IdBytes make_id_bytes() {
  const auto microseconds = static_cast<std::uint64_t>(now().time_since_epoch().count());
  const std::uint64_t milliseconds = microseconds / 1000;
  const std::uint64_t fraction = (microseconds % 1000) * 4096 / 1000;
  IdBytes bytes;
  Random::current().fill(bytes);
  for (std::size_t i = 0; i < 6; ++i)
    bytes[i] = static_cast<std::uint8_t>(milliseconds >> (8 * (5 - i)));
  bytes[6] = static_cast<std::uint8_t>(0x70U | (fraction >> 8U));
  bytes[7] = static_cast<std::uint8_t>(fraction);
  bytes[8] = static_cast<std::uint8_t>(0x80U | (bytes[8] & 0x3fU));
  return bytes;
}

IdText id_text(const IdBytes& bytes) {
  IdText text;
  char* at = text.data();
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) *at++ = '-';
    *at++ = digits[bytes[i] >> 4U];
    *at++ = digits[bytes[i] & 0xfU];
  }
  return text;
}

std::string to_text(const IdBytes& bytes) {
  const IdText text = id_text(bytes);
  return {text.data(), text.size()};
}

Result<IdBytes> id_bytes_from_text(std::string_view text) {
  const auto malformed = [] { return Error{errors::malformed, "not a UUID"}; };
  if (text.size() != 36) return malformed();
  IdBytes bytes;
  std::size_t at = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10)
      if (text[at++] != '-') return malformed();
    const int high = digit(text[at]), low = digit(text[at + 1]);
    if ((high | low) < 0) return malformed();
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    at += 2;
  }
  return bytes;
}

}  // namespace freehold
