// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/base/hash.h"
#include "freehold/schema/json_schema.h"

namespace freehold {
namespace internal {

std::string schema_document(std::string schema, const SchemaComponents& components);
std::string enum_schema(std::span<const std::string_view> names);

template <class T>
consteval std::string_view integer_schema() {
  if constexpr (std::is_unsigned_v<T> && sizeof(T) == 8)
    return R"({"type":"integer","minimum":0})";
  else if constexpr (std::is_unsigned_v<T>)
    return R"({"type":"integer","format":"int64","minimum":0})";
  else if constexpr (sizeof(T) == 8)
    return R"({"type":"integer","format":"int64"})";
  else
    return R"({"type":"integer","format":"int32"})";
}

template <Described T>
std::string object_schema(SchemaComponents& components, std::string_view prefix) {
  std::string properties, required;
  for_each_member_type<T>([&]<class Member>(std::string_view name) {
    if (!properties.empty()) properties += ',';
    write_json(properties, name);
    properties += ':';
    properties += json_schema<Member>(components, prefix);
    if constexpr (!is_optional<Member> && !is_nullable<Member>) {
      if (!required.empty()) required += ',';
      write_json(required, name);
    }
  });
  std::string schema = R"({"type":"object","properties":{)" + properties + '}';
  if (!required.empty()) schema += R"(,"required":[)" + required + ']';
  return schema + '}';
}

// Appends the shape as a word: "{id:id,quantity:i4}". A struct inside itself is named by how far
// out it began.
template <class T>
void append_shape(std::string& out, std::vector<std::string_view>& open) {
  if constexpr (std::same_as<T, bool>) {
    out += "bool";
  } else if constexpr (std::integral<T>) {
    out += std::is_signed_v<T> ? 'i' : 'u';
    out += static_cast<char>('0' + sizeof(T));
  } else if constexpr (std::floating_point<T>) {
    out += "real";
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    out += "text";
  } else if constexpr (IdType<T> || std::same_as<T, IdBytes>) {
    out += "id";
  } else if constexpr (std::same_as<T, Time>) {
    out += "time";
  } else if constexpr (std::same_as<T, RawJson>) {
    out += "json";
  } else if constexpr (DescribedEnum<T>) {
    out += '(';
    for (std::string_view name : enumerator_names<T>()) out.append(name).append("|");
    out += ')';
  } else if constexpr (is_optional<T>) {
    append_shape<typename T::value_type>(out, open);
    out += '?';
  } else if constexpr (is_nullable<T>) {
    append_shape<std::remove_cvref_t<decltype(std::declval<const T&>().value())>>(out, open);
    out += "?0";
  } else if constexpr (is_vector<T>) {
    append_shape<typename T::value_type>(out, open);
    out += "[]";
  } else if constexpr (is_map<T>) {
    append_shape<typename T::mapped_type>(out, open);
    out += "{}";
  } else {
    static_assert(Described<T>, "this type has no shape: see freehold/schema/json.h");
    for (std::size_t i = 0; i < open.size(); ++i)
      if (open[i] == described_name<T>()) {
        out += '^' + std::to_string(open.size() - i);
        return;
      }
    open.push_back(described_name<T>());
    out += '{';
    for_each_member_type<T>([&]<class Member>(std::string_view name) {
      out.append(name).append(":");
      append_shape<Member>(out, open);
      out += ',';
    });
    out += '}';
    open.pop_back();
  }
}

}  // namespace internal

template <class T>
std::string json_schema(SchemaComponents& components, std::string_view prefix) {
  if constexpr (std::same_as<T, bool>) {
    return R"({"type":"boolean"})";
  } else if constexpr (std::integral<T>) {
    return std::string{internal::integer_schema<T>()};
  } else if constexpr (std::floating_point<T>) {
    return R"({"type":"number","format":"double"})";
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    return R"({"type":"string"})";
  } else if constexpr (IdType<T>) {
    return R"({"type":"string","format":"uuid"})";
  } else if constexpr (std::same_as<T, Time>) {
    return R"({"type":"string","format":"date-time"})";
  } else if constexpr (std::same_as<T, RawJson>) {
    return "{}";
  } else if constexpr (DescribedEnum<T>) {
    return internal::enum_schema(enumerator_names<T>());
  } else if constexpr (internal::is_optional<T>) {
    return json_schema<typename T::value_type>(components, prefix);
  } else if constexpr (internal::is_nullable<T>) {
    using Value = std::remove_cvref_t<decltype(std::declval<const T&>().value())>;
    return R"({"anyOf":[)" + json_schema<Value>(components, prefix) + R"(,{"type":"null"}]})";
  } else if constexpr (internal::is_vector<T>) {
    return R"({"type":"array","items":)" + json_schema<typename T::value_type>(components, prefix) +
           '}';
  } else if constexpr (internal::is_map<T>) {
    return R"({"type":"object","additionalProperties":)" +
           json_schema<typename T::mapped_type>(components, prefix) + '}';
  } else {
    static_assert(Described<T>, "this type has no JSON: see freehold/schema/json.h");
    const std::string name{described_name<T>()};
    if (components.try_emplace(name).second) {  // entered first: a struct may hold itself
      std::string schema = internal::object_schema<T>(components, prefix);
      components[name] = std::move(schema);
    }
    return R"({"$ref":")" + std::string{prefix} + name + "\"}";
  }
}

template <class T>
std::string json_schema() {
  SchemaComponents components;
  std::string schema = json_schema<T>(components, "#/$defs/");
  return internal::schema_document(std::move(schema), components);
}

template <class T>
std::uint64_t shape_of() {
  static const std::uint64_t shape = [] {
    std::string word;
    std::vector<std::string_view> open;
    internal::append_shape<T>(word, open);
    return fnv1a(word);
  }();
  return shape;
}

}  // namespace freehold
