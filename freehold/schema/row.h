// SPDX-License-Identifier: Apache-2.0
//
// SQL columns of described structs. Each member is a column of its name; the members of a nested
// struct are columns of their own, `price.amount_minor` in `price_amount_minor`.
//
//   member                                    column
//   bool, integers, Time                      integer: 0 or 1; microseconds since 1970 UTC
//   double                                    real
//   std::string, std::string_view             text
//   an enum                                   text: the enumerator's name
//   RawJson, a vector, a map,                 text: JSON
//     std::optional<a described struct>
//   an id, IdBytes, Blob                      blob: 16 bytes, or as many as there are
//   std::optional<any of these>               the same, or null
//
// std::uint64_t has no column: the databases' integers have a sign.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/id.h"
#include "freehold/schema/described.h"
#include "freehold/schema/json.h"

namespace freehold {

using Blob = std::vector<std::uint8_t>;

// One row of a query's answer; a database driver implements it. Columns are numbered from 0. What
// it returns is valid until the next row is asked for.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;
  virtual double real(int column) const = 0;
  virtual std::string_view text(int column) const = 0;
  virtual std::span<const std::uint8_t> blob(int column) const = 0;
};

// Where a statement's parameters go; a database driver implements it, and numbers them as it likes.
// Texts and blobs stay valid only during the call.
class ParameterSink {
 public:
  virtual ~ParameterSink() = default;
  virtual void null(int parameter) = 0;
  virtual void integer(int parameter, std::int64_t value) = 0;
  virtual void real(int parameter, double value) = 0;
  virtual void text(int parameter, std::string_view value) = 0;
  virtual void blob(int parameter, std::span<const std::uint8_t> value) = 0;
};

enum class ColumnType { integer, real, text, blob };

struct Column {
  std::string name;
  ColumnType type;
  bool nullable;
  friend bool operator==(const Column&, const Column&) = default;
};

// What fits in one column.
template <class T>
concept ColumnScalar =
    (std::integral<T> && !std::same_as<T, std::uint64_t>) || std::same_as<T, double> ||
    std::same_as<T, Time> || std::same_as<T, std::string> || std::same_as<T, std::string_view> ||
    DescribedEnum<T> || IdType<T> || std::same_as<T, IdBytes> || std::same_as<T, RawJson> ||
    std::same_as<T, std::span<const std::uint8_t>> || internal::is_vector<T> || internal::is_map<T>;

// What one parameter of a statement, or a row of one column, can be.
template <class T>
concept ColumnValue = ColumnScalar<T> ||
                      (internal::is_optional<T> &&
                       (ColumnScalar<typename T::value_type> || Described<typename T::value_type>));

// The columns of T, in the order of the description, nested structs in their place.
template <Described T>
const std::vector<Column>& columns();

// Their names alone.
template <Described T>
const std::vector<std::string>& column_names();

// Calls visitor(std::string_view name, const member&) for each column.
template <Described T, class Visitor>
void for_each_column(const T& value, Visitor&& visitor);

// Binds one value to one parameter. A nil id is a bug. (Not `bind`: for a text or a vector, an
// unqualified call of that would find std::bind, and silently do nothing.)
template <ColumnValue T>
void bind_value(ParameterSink& sink, int parameter, const T& value);

// Binds the columns of `value` to parameters `first`, `first` + 1 and so on; returns the parameter
// after the last.
template <Described T>
int bind_row(ParameterSink& sink, int first, const T& value);

// The struct in the current row; `column_of[i]` is where columns<T>()[i] stands in it. Throws
// std::runtime_error, naming the column, when the struct cannot hold what is there: the database
// is corrupt or was written by something else.
template <Described T>
T read_row(const RowSource& row, std::span<const int> column_of);

// One value of the current row; throws as read_row, calling the column `name`.
template <ColumnValue T>
T read_column(const RowSource& row, int column, std::string_view name);

}  // namespace freehold

#include "freehold/schema/internal/row_columns.h"
