// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <thread>

#include "freehold/database/migration.h"
#include "freehold/database/sqlite/sqlite_connection.h"

struct sqlite3_stmt;

namespace bench {

// One prepared statement, with nothing between it and SQLite. What is given stays the caller's and
// must last until run() returns.
class BareStatement {
 public:
  BareStatement(freehold::SqliteConnection& connection, std::string_view text);
  BareStatement(const BareStatement&) = delete;
  BareStatement& operator=(const BareStatement&) = delete;
  ~BareStatement();

  template <class... Values>
  void run(const Values&... values) {
    int parameter = 0;
    (bind(++parameter, values), ...);
    run_bound();
  }

 private:
  void bind(int parameter, std::int64_t value);
  void bind(int parameter, std::string_view value);
  void bind(int parameter, std::span<const std::uint8_t> value);
  void run_bound();

  freehold::SqliteConnection& connection_;
  sqlite3_stmt* statement_ = nullptr;
};

// A database with the tables of a service, made as the service makes them, and opened by one
// writing connection with the settings of the service's own: what is committed is on disk. For one
// thread.
class BareDatabase {
 public:
  // Makes it when there is none in that directory.
  BareDatabase(const std::filesystem::path& directory, std::string service,
               std::span<const freehold::Migration> migrations);
  BareDatabase(const BareDatabase&) = delete;
  BareDatabase& operator=(const BareDatabase&) = delete;
  ~BareDatabase();

  freehold::SqliteConnection& connection() { return *connection_; }
  void begin() { begin_->run(); }
  // Has the write-ahead log carried into the file when that is due: most of it by a thread of its
  // own, the rest by this one, as the services do.
  void commit();

  // Appends an event to partition 0 of the log, and moves the head behind all of them, before the
  // commit; as SqlBooks::seal.
  void append(std::string_view type, std::string_view recipient, std::string_view json);
  void seal();
  // The cursor of a consumer, once a batch; the place does not matter to the cost.
  void move_cursor();

 private:
  enum class Checkpoint { none, wanted, carried, ended };

  void prepare();
  void carry(const std::string& file);

  std::unique_ptr<freehold::SqliteConnection> connection_;
  std::atomic<Checkpoint> checkpoint_ = Checkpoint::none;
  std::thread carrier_;
  std::unique_ptr<BareStatement> begin_;
  std::unique_ptr<BareStatement> commit_;
  std::unique_ptr<BareStatement> insert_event_;
  std::unique_ptr<BareStatement> set_head_;
  std::unique_ptr<BareStatement> set_cursor_;
  std::int64_t position_ = 0;
  std::int64_t stamp_ = 1;
  std::int64_t appended_ = 0;
};

}  // namespace bench
