// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/database/internal/read_transaction.h"
#include "freehold/database/sql_books.h"
#include "freehold/database/sqlite/sqlite_connection.h"

namespace freehold {

using SqliteReadTransaction =
    internal::ReadTransaction<SqliteConnection, SqlBooks, sql::Dialect::sqlite>;

// A bounded set of reading connections, opened as they are needed, each lent to one read at a
// time. A snapshot is kept for the next read as long as no commit has begun after it: to open one
// costs as much as a point read. Used by any thread.
class SqliteReaders {
 public:
  SqliteReaders(SqliteConnection::Options options, int readers_max);

  // Around each COMMIT, on the lane's thread. In between, one read may see the commit already and
  // the next one not yet, so no snapshot is kept.
  void commit_begins() { ++moments_; }
  void commit_ended() { ++moments_; }
  // Ends the snapshots that no read uses: they would keep the write-ahead log from being reset.
  void drop_snapshots();

  // Runs the body on one snapshot, on this thread; waits for a connection when all are lent. Fails
  // with read_too_long and database_unavailable; what else the body throws passes through.
  Result<> read(std::move_only_function<void(SqlTransaction&)>& body);

  // While it lives no read begins, and those that were under way have ended: they have a second;
  // one that does not come back is not waited for much longer. For a checkpoint: SQLite's own way
  // to wait for readers starves when they follow one another without a gap.
  class Pause {
   public:
    explicit Pause(SqliteReaders& readers);
    Pause(const Pause&) = delete;
    Pause& operator=(const Pause&) = delete;
    ~Pause();

   private:
    SqliteReaders& readers_;
  };

 private:
  struct Reader {
    explicit Reader(const SqliteConnection::Options& options)
        : connection(options), transaction(connection) {}
    // A snapshot that has everything which anybody can have seen by that moment.
    void see(std::uint64_t moment);
    void end_snapshot();

    SqliteConnection connection;
    SqliteReadTransaction transaction;
    bool has_snapshot = false;
    std::uint64_t opened_at = 0;
  };
  class Loan;

  std::unique_ptr<Reader> lend();
  void take_back(std::unique_ptr<Reader> reader);

  const SqliteConnection::Options options_;
  std::atomic<std::uint64_t> moments_ = 0;  // odd while a commit is under way
  std::mutex mutex_;                        // guards all below
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Reader>> idle_;
  int free_places_;
  int lent_ = 0;
  bool paused_ = false;
};

}  // namespace freehold
