// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/schema/row.h"

namespace freehold {
namespace internal {

[[noreturn]] void column_is_corrupt(std::string_view name, std::string_view why);
void bind_id(ParameterSink& sink, int parameter, const IdBytes& bytes);
IdBytes read_id(const RowSource& row, int column, std::string_view name);

template <class T>
inline constexpr bool is_json_column =
    is_map<T> || Described<T> || (is_vector<T> && !std::same_as<T, Blob>);

template <class T>
consteval ColumnType column_type() {
  if constexpr (is_optional<T>)
    return column_type<typename T::value_type>();
  else if constexpr (std::integral<T> || std::same_as<T, Time>)
    return ColumnType::integer;
  else if constexpr (std::same_as<T, double>)
    return ColumnType::real;
  else if constexpr (IdType<T> || std::same_as<T, IdBytes> || std::same_as<T, Blob> ||
                     std::same_as<T, std::span<const std::uint8_t>>)
    return ColumnType::blob;
  else
    return ColumnType::text;
}

template <Described T>
void append_columns(std::vector<Column>& into, const std::string& prefix) {
  for_each_member_type<T>([&]<class Member>(std::string_view name) {
    if constexpr (Described<Member>) {
      append_columns<Member>(into, prefix + std::string{name} + "_");
    } else {
      static_assert(ColumnValue<Member>, "a member has no SQL column: see freehold/schema/row.h");
      into.push_back({prefix + std::string{name}, column_type<Member>(), is_optional<Member>});
    }
  });
}

// Calls visitor(member) for each column's member, nested ones in their place.
template <class T, class Visitor>
void for_each_column_member(T& value, Visitor& visitor) {
  for_each_member(value, [&]<class Member>(std::string_view, Member& member) {
    if constexpr (Described<std::remove_const_t<Member>>)
      for_each_column_member(member, visitor);
    else
      visitor(member);
  });
}

template <class T>
void read_scalar(const RowSource& row, int column, std::string_view name, T& into) {
  static_assert(
      !std::same_as<T, std::string_view> && !std::same_as<T, std::span<const std::uint8_t>>,
      "a row that is read owns its texts and blobs: use std::string and Blob");
  if constexpr (std::same_as<T, bool>) {
    const std::int64_t value = row.integer(column);
    if (value != 0 && value != 1) column_is_corrupt(name, "neither 0 nor 1");
    into = value == 1;
  } else if constexpr (std::integral<T>) {
    const std::int64_t value = row.integer(column);
    if (!std::in_range<T>(value)) column_is_corrupt(name, "out of range");
    into = static_cast<T>(value);
  } else if constexpr (std::same_as<T, Time>) {
    into = Time{std::chrono::microseconds{row.integer(column)}};
  } else if constexpr (std::same_as<T, double>) {
    into = row.real(column);
  } else if constexpr (std::same_as<T, std::string>) {
    into = row.text(column);
  } else if constexpr (std::same_as<T, RawJson>) {
    into.text = row.text(column);
  } else if constexpr (DescribedEnum<T>) {
    const auto value = from_name<T>(row.text(column));
    if (!value) column_is_corrupt(name, "no such enumerator");
    into = *value;
  } else if constexpr (IdType<T>) {
    into.bytes = read_id(row, column, name);
  } else if constexpr (std::same_as<T, IdBytes>) {
    into = read_id(row, column, name);
  } else if constexpr (std::same_as<T, Blob>) {
    const auto bytes = row.blob(column);
    into.assign(bytes.begin(), bytes.end());
  } else {
    auto value = read_json<T>(row.text(column), Strictness::tolerant);
    if (!value) column_is_corrupt(name, value.error().detail());
    into = *std::move(value);
  }
}

template <class T>
void read_column_into(const RowSource& row, int column, std::string_view name, T& into) {
  if constexpr (is_optional<T>) {
    into.reset();
    if (!row.is_null(column)) read_scalar(row, column, name, into.emplace());
  } else {
    if (row.is_null(column)) column_is_corrupt(name, "null");
    read_scalar(row, column, name, into);
  }
}

}  // namespace internal

template <Described T>
const std::vector<Column>& columns() {
  static const std::vector<Column> all = [] {
    std::vector<Column> list;
    internal::append_columns<T>(list, "");
    return list;
  }();
  return all;
}

template <Described T>
const std::vector<std::string>& column_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const Column& column : columns<T>()) list.push_back(column.name);
    return list;
  }();
  return names;
}

template <Described T, class Visitor>
void for_each_column(const T& value, Visitor&& visitor) {
  auto column = columns<T>().begin();
  auto named = [&](const auto& member) { visitor(std::string_view{(column++)->name}, member); };
  internal::for_each_column_member(value, named);
}

template <ColumnValue T>
void bind_value(ParameterSink& sink, int parameter, const T& value) {
  if constexpr (internal::is_optional<T>) {
    if (!value)
      sink.null(parameter);
    else if constexpr (Described<typename T::value_type>)
      sink.text(parameter, to_json(*value));
    else
      bind_value(sink, parameter, *value);
  } else if constexpr (std::integral<T>) {
    sink.integer(parameter, static_cast<std::int64_t>(value));
  } else if constexpr (std::same_as<T, Time>) {
    sink.integer(parameter, value.time_since_epoch().count());
  } else if constexpr (std::same_as<T, double>) {
    sink.real(parameter, value);
  } else if constexpr (std::convertible_to<const T&, std::string_view>) {
    sink.text(parameter, value);
  } else if constexpr (std::same_as<T, RawJson>) {
    sink.text(parameter, value.text);
  } else if constexpr (DescribedEnum<T>) {
    sink.text(parameter, to_name(value));
  } else if constexpr (IdType<T>) {
    internal::bind_id(sink, parameter, value.bytes);
  } else if constexpr (std::same_as<T, IdBytes>) {
    internal::bind_id(sink, parameter, value);
  } else if constexpr (internal::is_json_column<T>) {
    sink.text(parameter, to_json(value));
  } else {
    sink.blob(parameter, std::span<const std::uint8_t>{value});
  }
}

template <Described T>
int bind_row(ParameterSink& sink, int first, const T& value) {
  auto bind_next = [&](const auto& member) { bind_value(sink, first++, member); };
  internal::for_each_column_member(value, bind_next);
  return first;
}

template <Described T>
T read_row(const RowSource& row, std::span<const int> column_of) {
  const std::vector<Column>& all = columns<T>();
  FREEHOLD_ASSERT(column_of.size() == all.size(), "a place for each column of the row");
  T value{};
  std::size_t i = 0;
  auto read_next = [&](auto& member) {
    internal::read_column_into(row, column_of[i], all[i].name, member);
    ++i;
  };
  internal::for_each_column_member(value, read_next);
  return value;
}

template <ColumnValue T>
T read_column(const RowSource& row, int column, std::string_view name) {
  T value{};
  internal::read_column_into(row, column, name, value);
  return value;
}

}  // namespace freehold
