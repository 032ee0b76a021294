// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/schema/json.h"

namespace freehold {
namespace internal {

void write_text(std::string& out, std::string_view text);  // quoted and escaped
void write_number(std::string& out, std::int64_t value);
void write_number(std::string& out, std::uint64_t value);
void write_number(std::string& out, double value);
void write_id(std::string& out, const IdBytes& bytes);
void write_time(std::string& out, Time time);

template <class T>
bool is_written(const T& member) {
  if constexpr (is_optional<T>) return member.has_value();
  if constexpr (is_nullable<T>) return !member.is_absent();
  return true;
}

template <Described T>
void write_object(std::string& out, const T& value) {
  char before = '{';
  for_each_member(value, [&](std::string_view name, const auto& member) {
    if (!is_written(member)) return;
    out += before;
    before = ',';
    out += '"';
    out += name;
    out += "\":";
    write_json(out, member);
  });
  if (before == '{') out += before;
  out += '}';
}

template <class T>
void write_map(std::string& out, const std::map<std::string, T>& map) {
  char before = '{';
  for (const auto& [name, value] : map) {
    out += before;
    before = ',';
    write_text(out, name);
    out += ':';
    write_json(out, value);
  }
  if (before == '{') out += before;
  out += '}';
}

template <class T>
void write_array(std::string& out, const std::vector<T>& items) {
  char before = '[';
  for (const auto& item : items) {
    out += before;
    before = ',';
    write_json<T>(out, item);
  }
  if (before == '[') out += before;
  out += ']';
}

template <class T>
inline constexpr bool has_no_json = false;

}  // namespace internal

template <class T>
void write_json(std::string& out, const T& value) {
  if constexpr (std::same_as<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::signed_integral<T>) {
    internal::write_number(out, static_cast<std::int64_t>(value));
  } else if constexpr (std::unsigned_integral<T>) {
    internal::write_number(out, static_cast<std::uint64_t>(value));
  } else if constexpr (std::floating_point<T>) {
    internal::write_number(out, static_cast<double>(value));
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    internal::write_text(out, value);
  } else if constexpr (IdType<T>) {
    internal::write_id(out, value.bytes);
  } else if constexpr (DescribedEnum<T>) {
    internal::write_text(out, to_name(value));
  } else if constexpr (std::same_as<T, Time>) {
    internal::write_time(out, value);
  } else if constexpr (std::same_as<T, RawJson>) {
    out += value.text;
  } else if constexpr (internal::is_optional<T> || internal::is_nullable<T>) {
    if (value.has_value())
      write_json(out, *value);
    else
      out += "null";
  } else if constexpr (internal::is_vector<T>) {
    internal::write_array(out, value);
  } else if constexpr (internal::is_map<T>) {
    internal::write_map(out, value);
  } else if constexpr (Described<T>) {
    internal::write_object(out, value);
  } else {
    static_assert(internal::has_no_json<T>, "this type has no JSON: see freehold/schema/json.h");
  }
}

template <class T>
std::string to_json(const T& value) {
  std::string out;
  write_json(out, value);
  return out;
}

}  // namespace freehold
