// SPDX-License-Identifier: Apache-2.0
#include <sqlite3.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/sqlite_connection.h"

namespace freehold {
namespace {

// Walks over SQL text: words, `$` parameters and the rest, without what is quoted or commented out.
class SqlWords {
 public:
  explicit SqlWords(std::string_view text) : rest_(text) {}

  // The next word in upper case, a `;` or a `(`; empty at the end.
  std::string next() {
    while (!rest_.empty()) {
      if (skip_hidden()) continue;
      const char c = rest_.front();
      if (c == ';' || c == '(') {
        rest_.remove_prefix(1);
        return {c};
      }
      if (!is_letter(c)) {
        rest_.remove_prefix(1);
        continue;
      }
      std::string word;
      while (!rest_.empty() && is_letter(rest_.front())) {
        word += static_cast<char>(std::toupper(static_cast<unsigned char>(rest_.front())));
        rest_.remove_prefix(1);
      }
      return word;
    }
    return {};
  }

  // Whether quoted text or a comment stood here and was skipped.
  bool skip_hidden() {
    const char c = rest_.front();
    if (c == '\'' || c == '"' || c == '`') return skip_to({&c, 1}, 1);
    if (c == '[') return skip_to("]", 1);
    if (rest_.starts_with("--")) return skip_to("\n", 2);
    if (rest_.starts_with("/*")) return skip_to("*/", 2);
    return false;
  }

  std::string_view rest() const { return rest_; }
  void advance() { rest_.remove_prefix(1); }

 private:
  static bool is_letter(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  }

  bool skip_to(std::string_view end, std::size_t from) {
    const std::size_t at = rest_.find(end, from);
    rest_.remove_prefix(at == std::string_view::npos ? rest_.size() : at + end.size());
    return true;
  }

  std::string_view rest_;
};

// `$1` is a name to SQLite, numbered by where it stands first; `?1` is the first parameter.
std::string with_numbered_parameters(std::string_view text) {
  std::string numbered;
  numbered.reserve(text.size());
  SqlWords words{text};
  while (!words.rest().empty()) {
    const std::string_view before = words.rest();
    if (words.skip_hidden()) {
      numbered.append(before.substr(0, before.size() - words.rest().size()));
      continue;
    }
    const bool is_parameter =
        before.size() > 1 && before[0] == '$' && before[1] >= '0' && before[1] <= '9';
    numbered += is_parameter ? '?' : before[0];
    words.advance();
  }
  return numbered;
}

bool is_schema_change(std::string_view text) {
  static constexpr std::array<std::string_view, 4> verbs{"CREATE", "DROP", "ALTER", "REINDEX"};
  return std::ranges::find(verbs, SqlWords{text}.next()) != verbs.end();
}

}  // namespace

std::string_view forbidden_in(std::string_view sql) {
  static constexpr std::array<std::string_view, 8> commands{
      "BEGIN", "COMMIT", "END", "SAVEPOINT", "RELEASE", "ATTACH", "DETACH", "VACUUM"};
  SqlWords words{sql};
  std::string before = ";";
  int open_triggers = 0;  // the END of a trigger is none of a transaction
  for (std::string word = words.next(); !word.empty(); word = words.next()) {
    if (word == "ROLLBACK") return "ROLLBACK";
    if (word == "TRIGGER" && before != "DROP") ++open_triggers;
    if (before == ";" && word == "END" && open_triggers > 0) {
      --open_triggers;
    } else if (before == ";") {
      const auto found = std::ranges::find(commands, word);
      if (found != commands.end()) return *found;
    }
    before = word;
  }
  return {};
}

SqliteStatement::SqliteStatement(SqliteConnection& connection, std::string_view text)
    : connection_(connection), changes_schema_(is_schema_change(text)) {
  const std::string numbered = with_numbered_parameters(text);
  const char* tail = nullptr;
  const int result =
      sqlite3_prepare_v3(connection.handle(), numbered.c_str(), static_cast<int>(numbered.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement_, &tail);
  if (result != SQLITE_OK) connection.fail(result, text);
  const bool is_one = SqlWords{tail}.next().empty();
  if (!statement_ || !is_one) {
    sqlite3_finalize(statement_);
    throw DatabaseFault(errors::internal, "not one statement: " + std::string{text});
  }
  writes_ = sqlite3_stmt_readonly(statement_) == 0;
  for (int i = 0; i < sqlite3_column_count(statement_); ++i)
    names_.emplace_back(sqlite3_column_name(statement_, i));
  columns_.assign(names_.begin(), names_.end());
}

SqliteStatement::~SqliteStatement() {
  sqlite3_finalize(statement_);
}

const char* SqliteStatement::kept(const char* bytes, std::size_t size) {
  if (size == 0) return "";
  auto* const copy = static_cast<char*>(kept_.allocate(size, 1));
  std::memcpy(copy, bytes, size);
  return copy;
}

void SqliteStatement::check_bound(int result) const {
  if (result != SQLITE_OK) connection_.fail(result, sqlite3_sql(statement_));
}

void SqliteStatement::null(int parameter) {
  is_bound_ = true;
  check_bound(sqlite3_bind_null(statement_, parameter));
}

void SqliteStatement::integer(int parameter, std::int64_t value) {
  is_bound_ = true;
  check_bound(sqlite3_bind_int64(statement_, parameter, value));
}

void SqliteStatement::real(int parameter, double value) {
  is_bound_ = true;
  check_bound(sqlite3_bind_double(statement_, parameter, value));
}

void SqliteStatement::text(int parameter, std::string_view value) {
  is_bound_ = true;
  const char* const bytes = kept(value.data(), value.size());
  check_bound(
      sqlite3_bind_text64(statement_, parameter, bytes, value.size(), SQLITE_STATIC, SQLITE_UTF8));
}

void SqliteStatement::blob(int parameter, std::span<const std::uint8_t> value) {
  is_bound_ = true;
  const char* const bytes = kept(reinterpret_cast<const char*>(value.data()), value.size());
  check_bound(sqlite3_bind_blob64(statement_, parameter, bytes, value.size(), SQLITE_STATIC));
}

bool SqliteStatement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t SqliteStatement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double SqliteStatement::real(int column) const {
  return sqlite3_column_double(statement_, column);
}

std::string_view SqliteStatement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
  if (!bytes) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::span<const std::uint8_t> SqliteStatement::blob(int column) const {
  const auto* bytes = static_cast<const std::uint8_t*>(sqlite3_column_blob(statement_, column));
  if (!bytes) return {};
  return {bytes, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::size_t SqliteStatement::row_bytes() const {
  std::size_t bytes = 0;
  for (int column = 0; column < sqlite3_column_count(statement_); ++column) {
    const int type = sqlite3_column_type(statement_, column);
    if (type == SQLITE_TEXT || type == SQLITE_BLOB)
      bytes += static_cast<std::size_t>(sqlite3_column_bytes(statement_, column));
  }
  return bytes;
}

bool SqliteStatement::next() {
  connection_.check_usable();
  is_bound_ = true;
  if (!std::exchange(is_used_, true)) ++connection_.statements_in_use_;
  const int result = sqlite3_step(statement_);
  if (result == SQLITE_ROW) return true;
  if (result != SQLITE_DONE) connection_.fail(result, sqlite3_sql(statement_));
  return false;
}

int SqliteStatement::step_once() {
  is_bound_ = true;
  return sqlite3_step(statement_);
}

std::int64_t SqliteStatement::execute() {
  while (next()) {
  }
  if (changes_schema_) ++connection_.schema_changes_;
  return writes_ && !changes_schema_ ? sqlite3_changes64(connection_.handle()) : 0;
}

void SqliteStatement::reset() {
  if (std::exchange(is_used_, false)) --connection_.statements_in_use_;
  if (!std::exchange(is_bound_, false)) return;
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  kept_.release();
}

}  // namespace freehold
