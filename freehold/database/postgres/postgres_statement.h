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

#include "freehold/database/sql.h"
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
  PostgresStatement(PostgresConnection& connection, std::string_view text,
                    sql::Reach reach = sql::Reach::anything)
      : connection_(connection), text_(text), reach_(reach) {}

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
  bool change_one() override;
  void foresee() override;
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
  friend class PostgresForesight;
  friend class PostgresGroups;
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
  void send(bool is_kept, std::int64_t rows_expected = -1);
  // A change that is not waited for; so many rows, or the transaction is wrong (-1: any number).
  void send_change(std::int64_t rows_expected);
  void begin_array(int parameter, unsigned element_type, std::size_t count);
  void append_element(int parameter, std::string_view bytes);
  void take(PostgresResult result);
  // Rows of another statement's result, in place of its own.
  void adopt(std::shared_ptr<pg_result> result, std::vector<int> rows);
  void note_columns(int count);
  void note_change();
  bool is_by_key() const { return reach_ == sql::Reach::key || reach_ == sql::Reach::sum; }
  std::string_view bytes(int column) const;
  [[noreturn]] void complain_of(int column) const;

  PostgresConnection& connection_;
  const std::string text_;
  const sql::Reach reach_;
  std::vector<Parameter> parameters_;
  std::vector<Variant> variants_;
  std::vector<unsigned> types_;
  std::shared_ptr<pg_result> result_;
  std::optional<std::vector<int>> adopted_;  // which of its rows; else all
  std::size_t adopted_taken_ = 0;
  bool is_limited_ = false;  // by the last parameter
  bool is_sent_ = false;
  int row_ = -1;
  std::vector<std::string> names_;
  std::vector<std::string_view> columns_;
};

}  // namespace freehold
