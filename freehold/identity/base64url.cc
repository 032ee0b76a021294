// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/base64url.h"

#include <array>

#include "freehold/base/errors.h"

namespace freehold::identity {
namespace {

constexpr std::string_view alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

constexpr std::uint8_t no_value = 0xff;  // of a character outside the alphabet

constexpr std::array<std::uint8_t, 256> values = [] {
  std::array<std::uint8_t, 256> table;
  table.fill(no_value);
  for (std::size_t i = 0; i < alphabet.size(); ++i)
    table[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
  return table;
}();

}  // namespace

std::string to_base64url(std::span<const std::uint8_t> bytes) {
  std::string text;
  text.reserve((bytes.size() * 4 + 2) / 3);
  std::uint32_t pending = 0;
  unsigned pending_bits = 0;
  for (std::uint8_t byte : bytes) {
    pending = (pending << 8U) | byte;
    pending_bits += 8;
    while (pending_bits >= 6) {
      pending_bits -= 6;
      text += alphabet[(pending >> pending_bits) & 0x3fU];
    }
  }
  if (pending_bits > 0) text += alphabet[(pending << (6 - pending_bits)) & 0x3fU];
  return text;
}

Result<std::string> from_base64url(std::string_view text) {
  std::string bytes;
  bytes.reserve(text.size() * 3 / 4);
  std::uint32_t pending = 0;
  unsigned pending_bits = 0;
  for (char c : text) {
    const std::uint8_t value = values[static_cast<unsigned char>(c)];
    if (value == no_value) return Error{errors::malformed, "not base64url"};
    pending = (pending << 6U) | value;
    pending_bits += 6;
    if (pending_bits >= 8) {
      pending_bits -= 8;
      bytes += static_cast<char>(pending >> pending_bits);
      pending &= (1U << pending_bits) - 1;
    }
  }
  if (pending_bits == 6 || pending != 0) return Error{errors::malformed, "not base64url"};
  return bytes;
}

}  // namespace freehold::identity
