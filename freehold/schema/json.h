// SPDX-License-Identifier: Apache-2.0
//
// JSON (RFC 8259) of described structs, written directly into a string and read strictly.
//
//   member                          in JSON
//   bool, integers, double          true, 7, 0.5
//   std::string, std::string_view   text (UTF-8); a struct that is read owns its text
//   an id                           "0190163d-8694-739b-aea5-966c26f8ad91"; nil is refused
//   an enum                         the enumerator's name
//   Time                            "2026-11-22T17:18:19.123456Z" (RFC 3339)
//   std::optional<T>                T, or the field is absent; null is refused where it is strict
//   Nullable<T>                     absent, null or T
//   std::vector<T>                  array
//   std::map<std::string, T>        object
//   a described struct              object, a field for each member
//   RawJson                         its text, as it is
#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/id.h"
#include "freehold/base/result.h"
#include "freehold/schema/described.h"
#include "freehold/schema/nullable.h"

namespace freehold {

// A JSON value that is carried and not looked into. Read from outside, it is known to be one whole
// value; made by hand, its text must be one.
struct RawJson {
  std::string text;
  friend bool operator==(const RawJson&, const RawJson&) = default;
};

// How a text is read. `strict`, at the public edge: a field that the struct does not have, a field
// given twice and a null in place of an absent field are refused. `tolerant`, between services:
// they are ignored, so that a producer may add fields. A required field that is missing, a wrong
// type and a number out of range are refused in both.
enum class Strictness { strict, tolerant };

// Appends the value as JSON, without spaces. A nil id, a number that is not finite and an
// enumerator that is not described are bugs.
template <class T>
void write_json(std::string& out, const T& value);

// The value as JSON.
template <class T>
std::string to_json(const T& value);

// Reads a struct, a vector, a map or a scalar from a whole JSON text; at most 32 levels deep.
// Refused: malformed; its detail names the first field that is wrong and what is expected there
// ("lines[2].quantity: not a whole number"), and never repeats a value.
template <class T>
Result<T> read_json(std::string_view text, Strictness strictness);

// Reads the members of `into` from a JSON object except those named in `given`: they came from
// elsewhere (a path, a query), keep their value and are unknown to the object. Refused as
// read_json; `into` is then half written.
template <Described T>
Result<> read_json_members(T& into, std::string_view text, Strictness strictness,
                           std::span<const std::string_view> given);

// What one path segment, query parameter or header can hold.
template <class T>
concept TextScalar = std::integral<T> || std::same_as<T, double> || std::same_as<T, std::string> ||
                     std::same_as<T, Time> || IdType<T> || DescribedEnum<T>;

// Reads a scalar from plain text, as it stands in a path or query: numbers in decimal, true and
// false, ids, enumerators and times as in JSON. Refused: malformed, saying what is expected.
template <TextScalar T>
Result<T> from_text(std::string_view text);

// Sets the member of that name from plain text; optional members become present. Refused:
// malformed, when there is no such member, it is no scalar, or the text does not fit it.
template <Described T>
Result<> set_member(T& into, std::string_view member, std::string_view text);

// Whether every member that must be present is named in `given`; refused: malformed, naming the
// first that is not. For inputs that are all path and query.
template <Described T>
Result<> require_members(std::span<const std::string_view> given);

}  // namespace freehold

#include "freehold/schema/internal/json_read.h"
#include "freehold/schema/internal/json_write.h"
