// SPDX-License-Identifier: Apache-2.0
//
// A row in memory that takes parameters and gives them back, for this room's tests. It is as strict
// about types as PostgreSQL: to ask a column for another type than it holds throws.
#pragma once

#include <variant>

#include "freehold/schema/row.h"

namespace freehold {

class MemoryRow final : public ParameterSink, public RowSource {
 public:
  using Value = std::variant<std::monostate, std::int64_t, double, std::string, Blob>;
  std::vector<Value> values;  // parameter 1 is column 0

  void null(int parameter) override { at(parameter) = std::monostate{}; }
  void integer(int parameter, std::int64_t value) override { at(parameter) = value; }
  void real(int parameter, double value) override { at(parameter) = value; }
  void text(int parameter, std::string_view value) override { at(parameter) = std::string{value}; }
  void blob(int parameter, std::span<const std::uint8_t> value) override {
    at(parameter) = Blob(value.begin(), value.end());
  }

  bool is_null(int column) const override { return get(column).index() == 0; }
  std::int64_t integer(int column) const override { return std::get<std::int64_t>(get(column)); }
  double real(int column) const override { return std::get<double>(get(column)); }
  std::string_view text(int column) const override { return std::get<std::string>(get(column)); }
  std::span<const std::uint8_t> blob(int column) const override {
    return std::get<Blob>(get(column));
  }

 private:
  Value& at(int parameter) {
    const auto size = static_cast<std::size_t>(parameter);
    if (values.size() < size) values.resize(size);
    return values[size - 1];
  }
  const Value& get(int column) const { return values.at(static_cast<std::size_t>(column)); }
};

}  // namespace freehold
