// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <memory_resource>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/database/fault.h"
#include "freehold/database/sql.h"
#include "freehold/database/statement.h"

struct sqlite3;
struct sqlite3_stmt;

namespace freehold {

// Must run before anything else of the process opens SQLite: switches its memory statistics off,
// for their lock costs a writer more than half of its rate when others read beside it.
void configure_sqlite();

// What no statement of a service may say, as SQLite would end the whole batch with it: OR ROLLBACK,
// RAISE(ROLLBACK), and the commands of transactions themselves. Empty: nothing. Quoted text and
// comments are not looked into.
std::string_view forbidden_in(std::string_view sql);

class SqliteConnection;

// One prepared statement. Its connection outlives it.
class SqliteStatement final : public SqlStatement {
 public:
  SqliteStatement(SqliteConnection& connection, std::string_view text);
  ~SqliteStatement() override;

  void null(int parameter) override;
  void integer(int parameter, std::int64_t value) override;
  void real(int parameter, double value) override;
  void text(int parameter, std::string_view value) override;
  void blob(int parameter, std::span<const std::uint8_t> value) override;

  bool is_null(int column) const override;
  std::int64_t integer(int column) const override;
  double real(int column) const override;
  std::string_view text(int column) const override;
  std::span<const std::uint8_t> blob(int column) const override;

  bool next() override;
  void reset() override;
  std::int64_t execute() override;
  std::span<const std::string_view> columns() const override { return columns_; }
  std::size_t row_bytes() const override;

  bool writes() const { return writes_; }
  int step_once();  // SQLite's result, nothing checked, nothing thrown

 private:
  void check_bound(int result) const;
  // A copy that lives as long as this use. SQLite's own would be an allocation each.
  const char* kept(const char* bytes, std::size_t size);

  SqliteConnection& connection_;
  sqlite3_stmt* statement_ = nullptr;
  std::vector<std::string> names_;
  std::vector<std::string_view> columns_;
  std::array<std::byte, 1024> first_kept_;
  std::pmr::monotonic_buffer_resource kept_{first_kept_.data(), first_kept_.size()};
  bool is_bound_ = false;  // or used: not as reset() leaves it
  bool is_used_ = false;
  bool writes_ = false;
  bool changes_schema_ = false;
};

// One connection, used by one thread at a time. Everything that SQLite reports as an error is
// thrown as DatabaseFault.
class SqliteConnection {
 public:
  struct Options {
    std::string file;
    std::string storage;  // the VFS; empty: the default
    int page_cache_kib = 8192;
    bool reads_only = false;
    bool secure_delete = false;
  };

  explicit SqliteConnection(const Options& options);
  SqliteConnection(const SqliteConnection&) = delete;
  SqliteConnection& operator=(const SqliteConnection&) = delete;

  // Statements of services and of the toolkit's rooms, prepared once, ready for a use.
  SqliteStatement& prepared(const sql::Text& text);
  SqliteStatement& statement(std::string_view text);
  void run_script(std::string_view script);

  // The driver's own commands: BEGIN, COMMIT, pragmas. Returns SQLite's result.
  int command(std::string_view text);
  void run(std::string_view text) const;       // throws
  std::int64_t number(std::string_view text);  // the first column of the first row
  std::string word(std::string_view text);     // as text

  bool in_transaction() const;
  std::int64_t changes() const;  // rows and tables changed since it was opened

  // From now on a statement runs only inside a transaction, and until then; a fault otherwise.
  void enter_transaction(std::optional<Deadline> deadline);
  void leave_transaction();
  // Resets the statements that an exception has left in the middle: they would hold their snapshot
  // and their savepoint.
  void end_uses();

  // PASSIVE or TRUNCATE (SQLite's numbers): whether all of the write-ahead log is in the file.
  bool checkpoint(int mode) const;
  // Puts on disk what a checkpoint has written to the file. SQLite itself does so at the log's end
  // only.
  void sync_file() const;

  [[noreturn]] void fail(int result, std::string_view text) const;

  sqlite3* handle() const { return handle_.get(); }
  int wal_pages = 0;             // after the last commit of this connection
  bool wal_was_written = false;  // by a commit of this connection, since this was last made false
  bool reads_only() const { return options_.reads_only; }

 private:
  friend class SqliteStatement;
  struct Close {
    void operator()(sqlite3* handle) const;
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const {
      return std::hash<std::string_view>{}(text);
    }
  };

  void check_usable() const;
  SqliteStatement& checked(std::unique_ptr<SqliteStatement>& place, std::string_view text);

  const Options options_;
  std::unique_ptr<sqlite3, Close> handle_;
  bool inside_ = false;
  std::optional<Deadline> deadline_;
  std::int64_t schema_changes_ = 0;
  int statements_in_use_ = 0;
  // Keyed by the address of the text: a literal's, which lasts as long as the program.
  std::unordered_map<const char*, std::unique_ptr<SqliteStatement>> by_address_;
  std::unordered_map<std::string, std::unique_ptr<SqliteStatement>, TextHash, std::equal_to<>>
      by_text_;
};

}  // namespace freehold
