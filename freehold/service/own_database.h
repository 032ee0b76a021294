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
  // Afterwards what was deleted is in no file any more. Blocks. On a server there is nothing to do:
  // it vacuums the tables with personal data when a row of them has died; the bytes of that row go
  // from its files when their place is written over.
  Result<> erase_for_good() const;
  void stop();

 private:
  std::unique_ptr<SqliteDatabase> embedded_;
  std::unique_ptr<PostgresDatabase> on_server_;
};

// One instance of a service at a time works on a database: it alone knows, in memory, which
// idempotent calls were answered, and the tail of the log. A directory's lock sees to that; on a
// server it is a lock of the lane's own session, which ends with the connection and is taken again
// on the next one. In a transaction of the lane: takes it, or finds it held; false: another
// instance has it.
bool is_alone(SqlTransaction& transaction);

// The same, before anything is served: waits a little for the session of an instance that has just
// ended, which the server may not have noticed yet. Fails as the database does.
Result<bool> begin_alone(Database& on_server);

}  // namespace freehold
