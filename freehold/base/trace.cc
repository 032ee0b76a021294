// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/trace.h"

#include <algorithm>
#include <span>

#include "freehold/base/errors.h"
#include "freehold/base/random.h"

namespace freehold {
namespace {

void write_hex(std::string& out, std::span<const std::uint8_t> bytes) {
  static constexpr char digits[] = "0123456789abcdef";
  for (std::uint8_t byte : bytes) {
    out += digits[byte >> 4U];
    out += digits[byte & 0xfU];
  }
}

// Lower case only, as the specification demands. False: something else, or nothing but zeros.
bool read_hex(std::string_view text, std::span<std::uint8_t> bytes) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  bool any = false;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const int high = digit(text[2 * i]), low = digit(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
    any = any || bytes[i] != 0;
  }
  return any;
}

}  // namespace

Trace Trace::start() {
  Trace trace;
  Random::current().fill(trace.trace_id);
  Random::current().fill(trace.span_id);
  return trace;
}

Trace Trace::child() const {
  Trace child = *this;
  Random::current().fill(child.span_id);
  return child;
}

std::string Trace::text() const {
  std::string out;
  out.reserve(55);
  out += "00-";
  write_hex(out, trace_id);
  out += '-';
  write_hex(out, span_id);
  out += sampled ? "-01" : "-00";
  return out;
}

std::string Trace::trace_text() const {
  std::string out;
  write_hex(out, trace_id);
  return out;
}

Result<Trace> Trace::from_text(std::string_view text) {
  const auto malformed = [] { return Error{errors::malformed, "not a traceparent"}; };
  // A later version may be longer; what this one knows stands in front.
  if (text.size() < 55 || text[2] != '-' || text[35] != '-' || text[52] != '-') return malformed();
  if (text.size() > 55 && (text.starts_with("00") || text[55] != '-')) return malformed();
  Trace trace;
  std::array<std::uint8_t, 1> version{}, flags{};
  const bool version_is_zero = text.starts_with("00");
  if (!version_is_zero && !read_hex(text.substr(0, 2), version)) return malformed();
  if (version[0] == 0xff) return malformed();
  if (!read_hex(text.substr(3, 32), trace.trace_id)) return malformed();
  if (!read_hex(text.substr(36, 16), trace.span_id)) return malformed();
  const std::string_view flags_text = text.substr(53, 2);
  if (flags_text != "00" && !read_hex(flags_text, flags)) return malformed();
  trace.sampled = (flags[0] & 1U) != 0;
  return trace;
}

}  // namespace freehold
