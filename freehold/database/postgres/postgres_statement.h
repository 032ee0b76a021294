// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/database/statement.h"

struct pg_result;

namespace freehold {

struct ClearPostgresResult {
  void operator()(pg_result* result) const;
};
using PostgresResult = std::unique_ptr<pg_result, ClearPostgresResult>;

class PostgresConnection;

// One statement of one connection. What is bound decides the types of its parameters: bigint,
// double precision, text, bytea and arrays of them; a null has the type that the statement gives
// it. So a text is prepared once for each combination of types that it is used with. Values travel
// in PostgreSQL's binary format in both directions.
class PostgresStatement final : public SqlStatement {
 public:
  PostgresStatement(PostgresConnection& connection, std::string_view text)
      : connection_(connection), text_(text) {}

  void null(int parameter) override;
  void integer(int parameter, std::int64_t value) override;
  void real(int parameter, double value) override;
  void text(int parameter, std::string_view value) override;
  void blob(int parameter, std::span<const std::uint8_t> value) override;
  // Arrays, for unnest.
  void integers(int parameter, std::span<const std::int64_t> values);
  void texts(int parameter, std::span<const std::optional<std::string_view>> values);
  void blobs(int parameter, std::span<const std::optional<std::string_view>> values);

  bool is_null(int column) const override;
  std::int64_t integer(int column) const override;
  double real(int column) const override;
  std::string_view text(int column) const override;
  std::span<const std::uint8_t> blob(int column) const override;

  bool next() override;
  std::int64_t execute() override;
  void send() override;
  void reset() override;
  std::span<const std::string_view> columns() const override { return columns_; }
  std::size_t row_bytes() const override;
  void limit(std::size_t rows_max) override;

  // As send(), but its rows can be read with next() when something else has been waited for.
  void send_to_read();
  // As send(), for one that changes nothing: who only locked rows has nothing to undo.
  void send_lock();

 private:
  friend class PostgresConnection;
  struct Parameter {
    unsigned type = 0;
    bool is_null = true;
    std::string bytes;
  };
  struct Variant {
    std::vector<unsigned> types;
    bool is_limited = false;
    std::string name;
    bool is_prepared = false;
  };

  Parameter& parameter(int number, unsigned type);
  void array(int number, unsigned type, unsigned element_type,
             std::span<const std::optional<std::string_view>> values);
  std::size_t variant();
  void send(bool is_kept);
  void take(PostgresResult result);
  std::string_view bytes(int column) const;
  [[noreturn]] void complain_of(int column) const;

  PostgresConnection& connection_;
  const std::string text_;
  std::vector<Parameter> parameters_;
  std::vector<Variant> variants_;
  std::vector<unsigned> types_;
  PostgresResult result_;
  bool is_limited_ = false;  // by the last parameter
  bool is_sent_ = false;
  int row_ = -1;
  std::vector<std::string> names_;
  std::vector<std::string_view> columns_;
};

}  // namespace freehold
