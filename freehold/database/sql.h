// SPDX-License-Identifier: Apache-2.0
//
// SQL as typed values. A statement is written once, at namespace scope, and says what goes in and
// what comes out; its parameters are counted when it is compiled:
//
//   constexpr freehold::sql::Query<ProductView(ProductId)> view_of{
//       "select id, sku, on_hand - reserved as available from product where id = $1"};
//   constexpr freehold::sql::Change<void(ProductId, int)> take{
//       "update stock set reserved = reserved + $2 where product_id = $1"};
//
// Columns are matched to the row's members by name when the statement is first prepared on a
// connection: a member without a column, or a column without a member, is a bug and aborts.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <type_traits>

namespace freehold::sql {

enum class Dialect { sqlite, postgres };

// What a driver may know of a statement, so that those of many bodies travel together: see by_key,
// sum_by_key, estimate and lock.
enum class Reach { anything, key, sum, estimate, lock, apart };

// One text for every database, or one for each where the dialects differ.
struct Dialects {
  std::string_view sqlite;
  std::string_view postgres;
  Reach reach = Reach::anything;

  constexpr std::string_view in(Dialect dialect) const {
    return dialect == Dialect::sqlite ? sqlite : postgres;
  }
};

// The definition of tables as SQLite reads it, for the database that is there. PostgreSQL's is made
// of it word by word, for they differ in few: `integer` is bigint there, `blob` bytea, `text`
// compares by bytes, an `integer primary key` that is not given is drawn there too, and `without
// rowid` says nothing. In lower case, nothing quoted.
std::string tables_in(Dialect dialect, std::string_view sqlite);

// The text of a statement and the number of its parameters ($1 … $n).
struct Text {
  Dialects dialects;
  std::size_t parameters;
};

// A query whose rows a body decides from: its text ends in "for update", for PostgreSQL, where
// other instances write at the same time. SQLite has one writer, and is not told.
consteval Dialects locking(std::string_view text) {
  const std::size_t end = text.rfind(" for update");
  if (end == std::string_view::npos) throw "the text of a locking query ends in `for update`";
  return {.sqlite = text.substr(0, end), .postgres = text};
}

// Promises of a query that what it reads are rows whose key is $1, its only parameter; of a change
// that all it changes are such rows, and that it does not matter before or after which other rows
// of other keys it does so (no trigger, no foreign key). So what was read of a key holds until this
// transaction changes something of that key, or something that promises nothing. Keys of different
// tables may be equal: that costs a read. A body that is only looked at may be told that there is
// no row.
consteval Dialects by_key(Dialects texts) {
  texts.reach = Reach::key;
  return texts;
}
consteval Dialects by_key(const char* text) {
  return by_key(Dialects{text, text});
}

// The same of a change that adds or takes the units $2, its only other parameter: to be done once
// for the sum of several is to be done for each, if it is done. Where `where` keeps the sum from
// being taken, each is tried by itself.
consteval Dialects sum_by_key(const char* text) {
  return {text, text, Reach::sum};
}

// Promises of a query with one parameter that a body may do with what its rows were a while ago,
// before it or its neighbours in the batch changed them: because the change that it decides is
// guarded (SqlTransaction::require), and who would refuse for its sake asks again by key.
consteval Dialects estimate(const char* text) {
  return {text, text, Reach::estimate};
}

// Promises of a change that nothing which it changes is read by key.
consteval Dialects apart(const char* text) {
  return {text, text, Reach::apart};
}

// Promises that all a change does is to take a lock for $1 until the transaction ends.
consteval Dialects lock_by_key(const char* text) {
  return {text, text, Reach::lock};
}

namespace internal {

// The highest n of the $n in a text; quoted parts are not looked into.
consteval std::size_t parameters_in(std::string_view text) {
  std::size_t highest = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\'') quoted = !quoted;
    if (quoted || text[i] != '$') continue;
    std::size_t number = 0;
    while (i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9')
      number = number * 10 + static_cast<std::size_t>(text[++i] - '0');
    if (number > highest) highest = number;
  }
  return highest;
}

consteval Text counted(Dialects dialects, std::size_t declared) {
  if (parameters_in(dialects.sqlite) != declared || parameters_in(dialects.postgres) != declared)
    throw "the text has other parameters ($1 … $n) than the statement declares";
  return {dialects, declared};
}

}  // namespace internal

template <class Signature>
class Query;

// Rows come out: Query<Row(Arguments...)>. Row is a described struct, or a scalar for one column.
template <class Row, class... Arguments>
class Query<Row(Arguments...)> {
 public:
  consteval Query(const char* text)  // NOLINT: a text is a query
      : text_(internal::counted({text, text}, sizeof...(Arguments))) {}
  consteval Query(Dialects texts)  // NOLINT
      : text_(internal::counted(texts, sizeof...(Arguments))) {}
  const Text& text() const { return text_; }

 private:
  Text text_;
};

template <class Signature>
class Change;

// Rows change, none come out: Change<void(Arguments...)>.
template <class... Arguments>
class Change<void(Arguments...)> {
 public:
  consteval Change(const char* text)  // NOLINT: a text is a change
      : text_(internal::counted({text, text}, sizeof...(Arguments))) {}
  consteval Change(Dialects texts)  // NOLINT
      : text_(internal::counted(texts, sizeof...(Arguments))) {}
  const Text& text() const { return text_; }

 private:
  Text text_;
};

}  // namespace freehold::sql
