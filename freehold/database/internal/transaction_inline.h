// SPDX-License-Identifier: Apache-2.0
// The bodies of Transaction's and SqlTransaction's templates; included by transaction.h only.
#pragma once

#include <concepts>
#include <string>
#include <type_traits>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/database/transaction.h"

namespace freehold {
namespace internal {

// Where each of the names stands among the columns. A name without a column, or a column without a
// name, is a bug in the statement and aborts, naming both and the statement.
std::vector<int> matched_columns(std::span<const std::string> names,
                                 std::span<const std::string_view> columns, std::string_view text);

template <class Row>
inline constexpr char row_type_tag = 0;

template <Described Row>
std::span<const int> columns_of(SqlStatement& statement, std::string_view text) {
  if (statement.row_type != &row_type_tag<Row>) {
    statement.column_of_member = matched_columns(column_names<Row>(), statement.columns(), text);
    statement.row_type = &row_type_tag<Row>;
  }
  return statement.column_of_member;
}

template <class Row>
Row current_row(SqlStatement& statement, std::string_view text) {
  if constexpr (Described<Row>) {
    return read_row<Row>(statement, columns_of<Row>(statement, text));
  } else {
    static_assert(ColumnValue<Row>, "a row is a described struct or the value of one column");
    FREEHOLD_ASSERT(statement.columns().size() == 1, std::string{text}.c_str());
    return read_column<Row>(statement, 0, statement.columns()[0]);
  }
}

template <class T>
concept Number = std::integral<T> && !std::same_as<T, bool> && !std::same_as<T, char>;

// Whether what is given may stand for what the statement declares. Numbers are checked again when
// they are bound: one that does not fit is a bug.
template <class Given, class Declared>
concept Fits =
    std::convertible_to<const Given&, Declared> &&
    !(std::floating_point<Given> && std::integral<Declared>) &&
    (std::same_as<Given, bool> == std::same_as<Declared, bool> || !std::is_arithmetic_v<Given>);

template <class Declared, class Given>
void bind_as(SqlStatement& statement, int parameter, const Given& given) {
  static_assert(Fits<Given, Declared>,
                "an argument has another type than the statement declares for this parameter");
  if constexpr (std::same_as<Declared, Given>) {
    freehold::bind_value(statement, parameter, given);
  } else if constexpr (std::same_as<Declared, std::string>) {
    freehold::bind_value(statement, parameter, std::string_view{given});
  } else if constexpr (Number<Declared> && Number<Given>) {
    FREEHOLD_ASSERT(std::in_range<Declared>(given), "a number does not fit its SQL parameter");
    freehold::bind_value(statement, parameter, static_cast<Declared>(given));
  } else {
    freehold::bind_value(statement, parameter, static_cast<Declared>(given));
  }
}

// One use of a statement: ends with it, whichever way it is left.
class StatementUse {
 public:
  explicit StatementUse(SqlStatement& statement) : statement_(statement) {}
  StatementUse(const StatementUse&) = delete;
  StatementUse& operator=(const StatementUse&) = delete;
  ~StatementUse() { statement_.reset(); }

 private:
  SqlStatement& statement_;
};

}  // namespace internal

template <class Body>
auto Transaction::attempt(Body&& body) -> typename AsResult<std::invoke_result_t<Body>>::type {
  using Outcome = typename AsResult<std::invoke_result_t<Body>>::type;
  const Mark start = mark();
  const int savepoint = open_savepoint();
  Outcome outcome = [&]() -> Outcome {
    try {
      if constexpr (std::is_void_v<std::invoke_result_t<Body>>) {
        body();
        return {};
      } else {
        return body();
      }
    } catch (const internal::Refused& refused) {
      return refused.error;
    }
  }();
  if (outcome || writes() == start.writes) {
    release_savepoint(savepoint);
  } else {
    undo_to_savepoint(savepoint);
  }
  if (!outcome) undo_in_memory(start);
  return outcome;
}

template <class... Declared, class... Given>
SqlStatement& SqlTransaction::bound(const sql::Text& text, const Given&... given) {
  static_assert(sizeof...(Declared) == sizeof...(Given),
                "the statement declares another number of parameters");
  SqlStatement& statement = prepared(text);
  int parameter = 0;
  (internal::bind_as<std::remove_cvref_t<Declared>>(statement, ++parameter, given), ...);
  return statement;
}

template <class Row, class... Declared, class... Given>
std::optional<Row> SqlTransaction::first(const sql::Query<Row(Declared...)>& query,
                                         const Given&... given) {
  SqlStatement& statement = bound<Declared...>(query.text(), given...);
  const internal::StatementUse use{statement};
  if (!statement.next()) return std::nullopt;
  return internal::current_row<Row>(statement, query.text().dialects.sqlite);
}

template <class Row, class... Declared, class... Given>
std::vector<Row> SqlTransaction::all(const sql::Query<Row(Declared...)>& query,
                                     const Given&... given) {
  SqlStatement& statement = bound<Declared...>(query.text(), given...);
  const internal::StatementUse use{statement};
  std::vector<Row> rows;
  while (statement.next())
    rows.push_back(internal::current_row<Row>(statement, query.text().dialects.sqlite));
  return rows;
}

template <class Row, class... Declared, class... Given>
Page<Row> SqlTransaction::page(const sql::Query<Row(Declared...)>& query, PageLimits limits,
                               const Given&... given) {
  SqlStatement& statement = bound<Declared...>(query.text(), given...);
  const internal::StatementUse use{statement};
  statement.limit(limits.rows + 1);
  Page<Row> page;
  std::size_t bytes = 0;
  while (statement.next()) {
    bytes += statement.row_bytes();
    if (!page.rows.empty() && (page.rows.size() >= limits.rows || bytes > limits.bytes)) {
      page.is_last = false;
      break;
    }
    page.rows.push_back(internal::current_row<Row>(statement, query.text().dialects.sqlite));
  }
  return page;
}

template <class... Declared, class... Given>
void SqlTransaction::run(const sql::Change<void(Declared...)>& change, const Given&... given) {
  SqlStatement& statement = bound<Declared...>(change.text(), given...);
  const internal::StatementUse use{statement};
  statement.send();
}

template <class... Declared, class... Given>
std::int64_t SqlTransaction::count(const sql::Change<void(Declared...)>& change,
                                   const Given&... given) {
  SqlStatement& statement = bound<Declared...>(change.text(), given...);
  const internal::StatementUse use{statement};
  return statement.execute();
}

template <class... Declared, class... Given>
void SqlTransaction::require(const ErrorCode& code, const sql::Change<void(Declared...)>& change,
                             const Given&... given) {
  if (!changes_one(change, given...)) throw internal::Refused{code};
}

template <class... Declared, class... Given>
bool SqlTransaction::changes_one(const sql::Change<void(Declared...)>& change,
                                 const Given&... given) {
  SqlStatement& statement = bound<Declared...>(change.text(), given...);
  const internal::StatementUse use{statement};
  return statement.change_one();
}

template <class Row, class... Declared, class... Given>
void SqlTransaction::foresee(const sql::Query<Row(Declared...)>& query, const Given&... given) {
  SqlStatement& statement = bound<Declared...>(query.text(), given...);
  const internal::StatementUse use{statement};
  statement.foresee();
}

}  // namespace freehold
