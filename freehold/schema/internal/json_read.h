// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/schema/internal/json_document.h"
#include "freehold/schema/json.h"

namespace freehold {
namespace internal {

// Where in the text a value stands. A list on the stack: spelled only when something is refused.
struct JsonPath {
  const JsonPath* parent = nullptr;
  std::string_view name{};
  std::ptrdiff_t index = -1;

  std::string spelled() const;  // "lines[2].quantity"
};

// One reading of one text. It keeps the first complaint; what is read after it does not matter.
class JsonReading {
 public:
  explicit JsonReading(Strictness strictness) : strictness_(strictness) {}

  bool strict() const { return strictness_ == Strictness::strict; }
  bool refused() const { return !complaint_.empty(); }
  void refuse(const JsonPath& at, std::string_view expected);
  Result<> outcome() const;

 private:
  Strictness strictness_;
  std::string complaint_;
};

// The fields of one object, found quickest in the order of the description.
class JsonFields {
 public:
  explicit JsonFields(JsonValue object) : object_(object), next_(object.begin()) {}

  std::optional<JsonValue> find(std::string_view name);
  // Refuses the first field that is not one of `names`, is one of `given`, or came before.
  void refuse_others(JsonReading& reading, const JsonPath& path,
                     std::span<const std::string_view> names,
                     std::span<const std::string_view> given) const;

 private:
  JsonValue object_;
  JsonValue::Iterator next_;
  std::size_t found_ = 0;
};

bool contains(std::span<const std::string_view> names, std::string_view name);
bool is_utf8(std::string_view text);
Error malformed(std::string_view expected);

// Decimal text to a number; the sentence that refuses it, or an empty one.
std::string_view parse_number(std::string_view text, std::int64_t& value);
std::string_view parse_number(std::string_view text, std::uint64_t& value);
std::string_view parse_number(std::string_view text, double& value);

template <std::integral T>
std::string_view parse_integer(std::string_view text, T& value) {
  std::conditional_t<std::is_signed_v<T>, std::int64_t, std::uint64_t> wide = 0;
  const std::string_view complaint = parse_number(text, wide);
  if (!complaint.empty()) return complaint;
  if (!std::in_range<T>(wide)) return "out of range";
  value = static_cast<T>(wide);
  return {};
}

void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, bool& into);
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, double& into);
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, std::string& into);
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, Time& into);
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, IdBytes& into);
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, RawJson& into);

// What is read must own its text, which is gone when the struct is used.
void read_value(JsonReading&, const JsonPath&, JsonValue, std::string_view&) = delete;

template <std::integral T>
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, T& into) {
  if (json.kind() != JsonKind::integer) return reading.refuse(path, "not a whole number");
  if (const auto complaint = parse_integer(json.text(), into); !complaint.empty())
    reading.refuse(path, complaint);
}

template <IdType T>
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, T& into) {
  read_value(reading, path, json, into.bytes);
}

template <DescribedEnum T>
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, T& into) {
  if (json.kind() != JsonKind::text) return reading.refuse(path, "not a text");
  if (const auto value = from_name<T>(json.text()))
    into = *value;
  else
    reading.refuse(path, "not one of the allowed words");
}

template <class T>
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json,
                std::optional<T>& into) {
  if (json.kind() != JsonKind::null) return read_value(reading, path, json, into.emplace());
  if (reading.strict()) reading.refuse(path, "null is not allowed: leave the field out");
}

template <class T>
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, Nullable<T>& into) {
  if (json.kind() == JsonKind::null) {
    into = nullptr;
  } else {
    T value{};
    read_value(reading, path, json, value);
    into = std::move(value);
  }
}

template <class T>
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, std::vector<T>& into) {
  if (json.kind() != JsonKind::array) return reading.refuse(path, "not an array");
  into.clear();
  into.reserve(json.children());
  JsonPath at{.parent = &path};
  for (JsonValue item : json) {
    ++at.index;
    T value{};
    read_value(reading, at, item, value);
    if (reading.refused()) return;
    into.push_back(std::move(value));
  }
}

template <class T>
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json,
                std::map<std::string, T>& into) {
  if (json.kind() != JsonKind::object) return reading.refuse(path, "not an object");
  into.clear();
  for (JsonValue item : json) {
    const JsonPath at{.parent = &path, .name = "*"};  // a key may be personal
    T value{};
    read_value(reading, at, item, value);
    if (reading.refused()) return;
    const bool added = into.insert_or_assign(std::string{item.name()}, std::move(value)).second;
    if (!added && reading.strict()) return reading.refuse(at, "given twice");
  }
}

template <Described T>
void read_members(JsonReading& reading, const JsonPath& path, JsonValue json, T& into,
                  std::span<const std::string_view> given) {
  if (json.kind() != JsonKind::object) return reading.refuse(path, "not an object");
  JsonFields fields{json};
  for_each_member(into, [&]<class Member>(std::string_view name, Member& member) {
    if (reading.refused() || contains(given, name)) return;
    const JsonPath at{.parent = &path, .name = name};
    if (const auto field = fields.find(name))
      read_value(reading, at, *field, member);
    else if constexpr (!is_optional<Member> && !is_nullable<Member>)
      reading.refuse(at, "required");
  });
  if (reading.strict()) fields.refuse_others(reading, path, member_names<T>(), given);
}

template <Described T>
void read_value(JsonReading& reading, const JsonPath& path, JsonValue json, T& into) {
  read_members(reading, path, json, into, {});
}

}  // namespace internal

template <class T>
Result<T> read_json(std::string_view text, Strictness strictness) {
  internal::JsonDocument document;
  FREEHOLD_TRY(document.parse(text));
  internal::JsonReading reading{strictness};
  Result<T> value{T{}};
  internal::read_value(reading, internal::JsonPath{}, document.root(), *value);
  FREEHOLD_TRY(reading.outcome());
  return value;
}

template <Described T>
Result<> read_json_members(T& into, std::string_view text, Strictness strictness,
                           std::span<const std::string_view> given) {
  internal::JsonDocument document;
  FREEHOLD_TRY(document.parse(text));
  internal::JsonReading reading{strictness};
  internal::read_members(reading, internal::JsonPath{}, document.root(), into, given);
  return reading.outcome();
}

template <TextScalar T>
Result<T> from_text(std::string_view text) {
  using internal::malformed;
  if constexpr (std::same_as<T, bool>) {
    if (text != "true" && text != "false") return malformed("neither true nor false");
    return text == "true";
  } else if constexpr (std::integral<T>) {
    T value{};
    const auto complaint = internal::parse_integer(text, value);
    if (!complaint.empty()) return malformed(complaint);
    return value;
  } else if constexpr (std::same_as<T, double>) {
    double value = 0;
    const auto complaint = internal::parse_number(text, value);
    if (!complaint.empty()) return malformed(complaint);
    return value;
  } else if constexpr (std::same_as<T, std::string>) {
    if (!internal::is_utf8(text)) return malformed("not UTF-8");
    return std::string{text};
  } else if constexpr (std::same_as<T, Time>) {
    return time_from_text(text);
  } else if constexpr (IdType<T>) {
    FREEHOLD_TRY(auto id, T::from_text(text));
    if (id.is_nil()) return malformed("the nil UUID names nothing");
    return id;
  } else {
    if (const auto value = from_name<T>(text)) return *value;
    return malformed("not one of the allowed words");
  }
}

template <Described T>
Result<> set_member(T& into, std::string_view member, std::string_view text) {
  Result<> outcome = internal::malformed("unknown parameter");
  const auto named = [&](const Error& error) {
    return Error{internal::malformed(std::string{member} + ": " + std::string{error.detail()})};
  };
  for_each_member(into, [&]<class Member>(std::string_view name, Member& target) {
    if (name != member) return;
    using Scalar = typename decltype([] {
      if constexpr (internal::is_optional<Member>)
        return std::type_identity<typename Member::value_type>{};
      else
        return std::type_identity<Member>{};
    }())::type;
    if constexpr (TextScalar<Scalar>) {
      if (auto value = from_text<Scalar>(text)) {
        target = *std::move(value);
        outcome = {};
      } else {
        outcome = named(value.error());
      }
    }
  });
  return outcome;
}

template <Described T>
Result<> require_members(std::span<const std::string_view> given) {
  Result<> outcome;
  for_each_member_type<T>([&]<class Member>(std::string_view name) {
    if constexpr (!internal::is_optional<Member> && !internal::is_nullable<Member>)
      if (outcome && !internal::contains(given, name))
        outcome = internal::malformed(std::string{name} + ": required");
  });
  return outcome;
}

}  // namespace freehold
