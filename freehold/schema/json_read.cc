// SPDX-License-Identifier: Apache-2.0
#include "freehold/schema/internal/json_read.h"

#include <algorithm>
#include <charconv>

#include "freehold/base/errors.h"
#include "freehold/schema/internal/json_write.h"

namespace freehold::internal {
namespace {

constexpr std::size_t name_shown_max = 64;

// A field's name that came from outside, fit for a message: short, and plain.
std::string shown(std::string_view name) {
  std::string text{name.substr(0, name_shown_max)};
  std::ranges::replace_if(text, [](char c) { return c < 0x20 || c > 0x7e || c == '"'; }, '?');
  return text;
}

template <class T>
std::string_view parse(std::string_view text, T& value, std::string_view expected) {
  const char* const end = text.data() + text.size();
  const auto [stopped, failed] = std::from_chars(text.data(), end, value);
  if (failed == std::errc::result_out_of_range) return "out of range";
  return failed == std::errc{} && stopped == end ? std::string_view{} : expected;
}

// Appends the value again, as a text without spaces: numbers as they were written.
void append_raw(std::string& out, JsonValue json) {
  if (json.kind() == JsonKind::text) return write_text(out, json.text());
  if (json.kind() != JsonKind::array && json.kind() != JsonKind::object) {
    out += json.text();
    return;
  }
  const bool is_object = json.kind() == JsonKind::object;
  out += is_object ? '{' : '[';
  const std::size_t begin = out.size();
  for (JsonValue child : json) {
    if (out.size() != begin) out += ',';
    if (is_object) {
      write_text(out, child.name());
      out += ':';
    }
    append_raw(out, child);
  }
  out += is_object ? '}' : ']';
}

}  // namespace

std::string JsonPath::spelled() const {
  std::string text = parent ? parent->spelled() : std::string{};
  if (index >= 0) return text + '[' + std::to_string(index) + ']';
  if (name.empty()) return text;
  if (!text.empty()) text += '.';
  return text.append(name);
}

void JsonReading::refuse(const JsonPath& at, std::string_view expected) {
  if (refused()) return;
  complaint_ = at.spelled();
  if (!complaint_.empty()) complaint_ += ": ";
  complaint_ += expected;
}

Result<> JsonReading::outcome() const {
  if (refused()) return malformed(complaint_);
  return {};
}

std::optional<JsonValue> JsonFields::find(std::string_view name) {
  for (std::size_t tried = 0; tried < object_.children(); ++tried) {
    if (next_ == object_.end()) next_ = object_.begin();
    const JsonValue field = *next_;
    ++next_;
    if (field.name() == name) return ++found_, field;
  }
  return std::nullopt;
}

void JsonFields::refuse_others(JsonReading& reading, const JsonPath& path,
                               std::span<const std::string_view> names,
                               std::span<const std::string_view> given) const {
  if (found_ == object_.children()) return;
  std::vector<std::string_view> seen;
  for (JsonValue field : object_) {
    const std::string name = shown(field.name());
    const JsonPath at{.parent = &path, .name = name};
    if (!contains(names, field.name()) || contains(given, field.name()))
      return reading.refuse(at, "unknown field");
    if (contains(seen, field.name())) return reading.refuse(at, "given twice");
    seen.push_back(field.name());
  }
}

bool contains(std::span<const std::string_view> names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

// The Unicode Standard, table 3-7: no overlong forms, no surrogates, nothing above U+10FFFF.
bool is_utf8(std::string_view text) {
  std::size_t at = 0;
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  while (at < text.size()) {
    const unsigned lead = byte(at++);
    if (lead < 0x80) continue;
    const int tail = lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
    if (lead < 0xc2 || lead > 0xf4) return false;
    const unsigned low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const unsigned high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (byte(at) < low || byte(at) > high) return false;
    for (int i = 1; i < tail; ++i)
      if ((byte(at + static_cast<std::size_t>(i)) & 0xc0U) != 0x80) return false;
    at += static_cast<std::size_t>(tail);
  }
  return true;
}

Error malformed(std::string_view expected) {
  return Error{errors::malformed, std::string{expected}};
}

std::string_view parse_number(std::string_view text, std::int64_t& value) {
  return parse(text, value, "not a whole number");
}

std::string_view parse_number(std::string_view text, std::uint64_t& value) {
  if (text.starts_with('-')) return text == "-0" ? (value = 0, "") : "out of range";
  return parse(text, value, "not a whole number");
}

std::string_view parse_number(std::string_view text, double& value) {
  const std::string_view complaint = parse(text, value, "not a number");
  if (complaint.empty() && !(value - value == 0)) return "not a number";  // "inf", "nan"
  return complaint;
}

void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, bool& into) {
  if (json.kind() != JsonKind::boolean) return reading.refuse(path, "neither true nor false");
  into = json.text() == "true";
}

void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, double& into) {
  if (json.kind() != JsonKind::integer && json.kind() != JsonKind::real)
    return reading.refuse(path, "not a number");
  if (const auto complaint = parse_number(json.text(), into); !complaint.empty())
    reading.refuse(path, complaint);
}

void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, std::string& into) {
  if (json.kind() != JsonKind::text) return reading.refuse(path, "not a text");
  into = json.text();
}

void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, Time& into) {
  if (json.kind() != JsonKind::text) return reading.refuse(path, "not a text");
  if (const auto time = time_from_text(json.text()))
    into = *time;
  else
    reading.refuse(path, time.error().detail());
}

void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, IdBytes& into) {
  if (json.kind() != JsonKind::text) return reading.refuse(path, "not a text");
  const auto bytes = id_bytes_from_text(json.text());
  if (!bytes) return reading.refuse(path, bytes.error().detail());
  if (*bytes == IdBytes{}) return reading.refuse(path, "the nil UUID names nothing");
  into = *bytes;
}

void read_value(JsonReading&, const JsonPath&, JsonValue json, RawJson& into) {
  into.text.clear();
  append_raw(into.text, json);
}

}  // namespace freehold::internal
