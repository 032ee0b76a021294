// SPDX-License-Identifier: Apache-2.0
#include "freehold/schema/internal/json_write.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "freehold/base/eight_bytes.h"

namespace freehold::internal {
namespace {

template <class T>
void append_number(std::string& out, T value) {
  std::array<char, 32> digits;
  const auto [end, failed] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
  FREEHOLD_ASSERT(failed == std::errc{}, "a number has at most 32 characters");
  out.append(digits.data(), end);
}

void append_escaped(std::string& out, char c) {
  static constexpr char digits[] = "0123456789abcdef";
  switch (c) {
    case '"':
    case '\\':
      out += '\\';
      out += c;
      break;
    case '\n':
      out += "\\n";
      break;
    case '\r':
      out += "\\r";
      break;
    case '\t':
      out += "\\t";
      break;
    default:
      out += "\\u00";
      out += digits[static_cast<unsigned char>(c) >> 4U];
      out += digits[static_cast<unsigned char>(c) & 0xfU];
  }
}

constexpr bool is_plain(char c) {
  return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\';
}

// How many characters at the start of a text are written as they are. Looks at eight at a time.
std::size_t plain_at_start(std::string_view text) {
  std::size_t plain = 0;
  for (std::uint64_t word; plain + sizeof word <= text.size(); plain += sizeof word) {
    std::memcpy(&word, text.data() + plain, sizeof word);
    if ((bytes_below(word, ' ') | bytes_that_are('"', word) | bytes_that_are('\\', word)) != 0)
      break;
  }
  while (plain < text.size() && is_plain(text[plain])) ++plain;
  return plain;
}

}  // namespace

void write_text(std::string& out, std::string_view text) {
  out += '"';
  for (;;) {
    const std::size_t plain = plain_at_start(text);
    out.append(text.substr(0, plain));
    if (plain == text.size()) break;
    append_escaped(out, text[plain]);
    text.remove_prefix(plain + 1);
  }
  out += '"';
}

void write_number(std::string& out, std::int64_t value) {
  append_number(out, value);
}

void write_number(std::string& out, std::uint64_t value) {
  append_number(out, value);
}

void write_number(std::string& out, double value) {
  FREEHOLD_ASSERT(std::isfinite(value), "JSON has no number that is not finite");
  append_number(out, value);
}

void write_id(std::string& out, const IdBytes& bytes) {
  FREEHOLD_ASSERT(bytes != IdBytes{}, "a nil id was written: it was never given a value");
  const IdText text = id_text(bytes);
  out += '"';
  out.append(text.data(), text.size());
  out += '"';
}

void write_time(std::string& out, Time time) {
  out += '"';
  out += to_text(time);
  out += '"';
}

}  // namespace freehold::internal
