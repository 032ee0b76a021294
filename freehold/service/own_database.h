// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "freehold/base/result.h"
#include "freehold/database/postgres/postgres_database.h"
#include "freehold/database/sqlite/sqlite_database.h"

namespace freehold {

// The service's own database as its host tends to it: SQLite in its data directory, or PostgreSQL
// on a server. A default one is empty, and nothing but bool may be asked of it.
class OwnDatabase {
 public:
  OwnDatabase() = default;
  explicit OwnDatabase(std::unique_ptr<SqliteDatabase> embedded) : embedded_(std::move(embedded)) {}
  explicit OwnDatabase(std::unique_ptr<PostgresDatabase> on_server)
      : on_server_(std::move(on_server)) {}

  explicit operator bool() const { return embedded_ || on_server_; }
  Database& operator*() const;
  Database* operator->() const { return &**this; }

  // Which of the two it is, for what only one has; null: the other.
  SqliteDatabase* embedded() const { return embedded_.get(); }
  PostgresDatabase* on_server() const { return on_server_.get(); }

  const LaneStatistics& lane_statistics() const;
  // Copies the database into a new file. Blocks. Refused on a server: pg_dump does that there.
  Result<> back_up_to(const std::filesystem::path& file) const;
  // Afterwards what was deleted is in no file any more. Blocks. On a server: what was erased
  // (PostgresDatabase::erase_for_good) is in no file of the database; it stays in the server's log
  // until that is cut.
  Result<> erase_for_good() const;
  void stop();

 private:
  std::unique_ptr<SqliteDatabase> embedded_;
  std::unique_ptr<PostgresDatabase> on_server_;
};

}  // namespace freehold
