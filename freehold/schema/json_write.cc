// SPDX-License-Identifier: Apache-2.0
#include "freehold/schema/internal/json_write.h"

#include <array>
#include <charconv>
#include <cmath>

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

}  // namespace

void write_text(std::string& out, std::string_view text) {
  out += '"';
  std::size_t plain = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, plain, i - plain);
    append_escaped(out, c);
    plain = i + 1;
  }
  out.append(text, plain, text.size() - plain);
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
  out += '"';
  out += to_text(bytes);
  out += '"';
}

void write_time(std::string& out, Time time) {
  out += '"';
  out += to_text(time);
  out += '"';
}

}  // namespace freehold::internal
