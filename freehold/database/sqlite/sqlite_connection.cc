// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_connection.h"

#include <sqlite3.h>

#include <mutex>

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"
#include "freehold/database/sqlite/gathering_storage.h"

namespace freehold {
namespace {

// How long a connection waits for another one's lock: only a recovery, a checkpoint that empties
// the log, or a backup by hand holds one.
constexpr int busy_timeout_ms = 5000;

// Steps of SQLite's machine between two looks at the clock: about 0.1 ms.
constexpr int steps_between_looks = 10'000;

const ErrorCode& code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
      return errors::disk_full;
    case SQLITE_INTERRUPT:
      return errors::read_too_long;
    case SQLITE_ERROR:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_TOOBIG:
      return errors::internal;
    default:
      return errors::database_unavailable;
  }
}

void check_allowed(std::string_view text) {
  const std::string_view word = forbidden_in(text);
  if (word.empty()) return;
  std::string what{word};
  what.append(" is not for a transaction's body, it would end the whole batch: ").append(text);
  throw DatabaseFault(errors::internal, what);
}

int is_past(void* deadline) {
  const auto& point = *static_cast<const std::optional<Deadline>*>(deadline);
  return point && SteadyClock::now() >= *point ? 1 : 0;
}

int note_wal_pages(void* connection, sqlite3*, const char*, int pages) {
  auto& written = *static_cast<SqliteConnection*>(connection);
  written.wal_pages = pages;
  written.wal_was_written = true;
  return SQLITE_OK;
}

}  // namespace

void configure_sqlite() {
  static std::once_flag once;
  std::call_once(once, [] { sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); });
}

void SqliteConnection::Close::operator()(sqlite3* handle) const {
  sqlite3_close(handle);
}

SqliteConnection::SqliteConnection(const Options& options) : options_(options) {
  configure_sqlite();
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
  const std::string storage =
      options.reads_only ? options.storage : gathering_storage(options.storage);
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(options.file.c_str(), &opened, flags,
                                     storage.empty() ? nullptr : storage.c_str());
  handle_.reset(opened);
  if (result != SQLITE_OK) fail(result, "open");
  sqlite3_extended_result_codes(handle(), 1);
  sqlite3_busy_timeout(handle(), busy_timeout_ms);
  run("pragma page_size = 4096");
  if (word("pragma journal_mode = wal") != "wal")
    throw DatabaseFault(errors::database_unavailable, "it cannot keep a write-ahead log");
  run("pragma synchronous = full");
  run("pragma foreign_keys = on");
  run("pragma temp_store = memory");
  run("pragma mmap_size = 0");
  run("pragma wal_autocheckpoint = 0");
  run("pragma cache_size = -" + std::to_string(options.page_cache_kib));
  run(options.secure_delete ? "pragma secure_delete = on" : "pragma secure_delete = off");
  sqlite3_wal_hook(handle(), note_wal_pages, this);
  if (!options.reads_only) return;
  run("pragma query_only = on");
  sqlite3_progress_handler(handle(), steps_between_looks, is_past, &deadline_);
}

void SqliteConnection::fail(int result, std::string_view text) const {
  std::string what = handle_ ? sqlite3_errmsg(handle()) : sqlite3_errstr(result);
  what.append(" (").append(std::to_string(result)).append(") in: ").append(text);
  throw DatabaseFault(code_of(result), what);
}

SqliteStatement& SqliteConnection::checked(std::unique_ptr<SqliteStatement>& place,
                                           std::string_view text) {
  if (place) {
    place->reset();  // an exception may have left it in the middle of its last use
    return *place;
  }
  check_allowed(text);
  auto made = std::make_unique<SqliteStatement>(*this, text);
  FREEHOLD_ASSERT(!options_.reads_only || !made->writes(), std::string{text}.c_str());
  place = std::move(made);
  return *place;
}

SqliteStatement& SqliteConnection::prepared(const sql::Text& text) {
  return checked(by_address_[text.dialects.sqlite.data()], text.dialects.sqlite);
}

SqliteStatement& SqliteConnection::statement(std::string_view text) {
  const auto found = by_text_.find(text);
  if (found != by_text_.end()) return checked(found->second, text);
  return checked(by_text_[std::string{text}], text);
}

void SqliteConnection::run_script(std::string_view script) {
  FREEHOLD_ASSERT(!options_.reads_only, "a read runs no scripts");
  check_allowed(script);
  check_usable();
  ++schema_changes_;
  const int result = sqlite3_exec(handle(), std::string{script}.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(result, script.substr(0, 100));
}

int SqliteConnection::command(std::string_view text) {
  std::unique_ptr<SqliteStatement>& place = [&]() -> auto& {
    const auto found = by_text_.find(text);
    return found != by_text_.end() ? found->second : by_text_[std::string{text}];
  }();
  if (!place) place = std::make_unique<SqliteStatement>(*this, text);
  const int result = place->step_once();
  place->reset();
  return result;
}

void SqliteConnection::run(std::string_view text) const {
  const int result = sqlite3_exec(handle(), std::string{text}.c_str(), nullptr, nullptr, nullptr);
  if (result != SQLITE_OK) fail(result, text);
}

std::int64_t SqliteConnection::number(std::string_view text) {
  SqliteStatement statement{*this, text};
  return statement.next() ? statement.integer(0) : 0;
}

std::string SqliteConnection::word(std::string_view text) {
  SqliteStatement statement{*this, text};
  return statement.next() ? std::string{statement.text(0)} : std::string{};
}

bool SqliteConnection::in_transaction() const {
  return sqlite3_get_autocommit(handle()) == 0;
}

std::int64_t SqliteConnection::changes() const {
  return sqlite3_total_changes64(handle()) + schema_changes_;
}

void SqliteConnection::enter_transaction(std::optional<Deadline> deadline) {
  inside_ = true;
  deadline_ = deadline;
}

void SqliteConnection::leave_transaction() {
  inside_ = false;
  deadline_.reset();
  end_uses();
}

void SqliteConnection::end_uses() {
  if (statements_in_use_ == 0) return;
  for (const auto& [address, statement] : by_address_)
    if (statement) statement->reset();
  for (const auto& [text, statement] : by_text_)
    if (statement) statement->reset();
}

// A statement after the one that undid the transaction would commit by itself.
void SqliteConnection::check_usable() const {
  if (inside_ && !in_transaction())
    throw DatabaseFault(errors::database_unavailable, "an error has undone the transaction");
  if (inside_ && deadline_ && SteadyClock::now() >= *deadline_)
    throw DatabaseFault(errors::read_too_long, "the read has no time left");
}

bool SqliteConnection::checkpoint(int mode) const {
  int in_log = 0;
  int in_file = 0;
  const int result = sqlite3_wal_checkpoint_v2(handle(), nullptr, mode, &in_log, &in_file);
  if (result == SQLITE_BUSY) return false;
  if (result != SQLITE_OK) fail(result, "checkpoint");
  return in_log == in_file;
}

void SqliteConnection::sync_file() const {
  sqlite3_file* file = nullptr;
  int result =
      sqlite3_file_control(handle(), "main", SQLITE_FCNTL_FILE_POINTER, static_cast<void*>(&file));
  if (result == SQLITE_OK) result = file->pMethods->xSync(file, SQLITE_SYNC_NORMAL);
  if (result != SQLITE_OK) fail(result, "sync");
}

}  // namespace freehold
