// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "freehold/database/sqlite/sqlite_connection.h"
#include "freehold/database/sqlite/sqlite_database.h"
#include "freehold/database/sqlite/sqlite_readers.h"

namespace freehold {

// Carries the write-ahead log back into the file. When the log has `pages_due` pages, a thread
// carries over the bulk beside the writer (PASSIVE) and syncs the file; under constant writes it
// never gets to the end, so the lane does the remainder between two commits, and the next commit
// starts the log from its beginning. At four times that size reads are held up until the remainder
// is done. A checkpoint begins only after a commit, never right after another complete one: that is
// the pattern in which SQLite 3.40 may reset a log that is still needed. For the same reason the
// thread never follows itself. When the file could not be synced, the log is kept until a restart.
class SqliteCheckpointer {
 public:
  SqliteCheckpointer(SqliteConnection& lane, SqliteReaders& readers, int pages_due,
                     SqliteStatistics& statistics)
      : lane_(lane),
        readers_(readers),
        pages_due_(pages_due),
        statistics_(statistics),
        next_due_(pages_due) {}
  ~SqliteCheckpointer() { stop(); }

  // Gives the bulk to a thread with a connection of its own; without one the lane does all of it.
  void start(std::unique_ptr<SqliteConnection> bulk);
  void stop();

  // The lane's thread.
  void commit_begins() { readers_.commit_begins(); }
  void commit_ended(bool is_committed) {
    readers_.commit_ended();
    if (is_committed) committed_ = true;
  }
  void rest();
  // The lane's thread, at rest: everything into the file, the log empty. Waits for reads; false:
  // one, or a backup, was in the way for too long.
  bool truncate();

 private:
  enum class Stage { idle, bulk, remainder, given_up };

  void run_thread();
  bool carry_bulk();
  void carry_remainder();

  SqliteConnection& lane_;
  SqliteReaders& readers_;
  const int pages_due_;
  SqliteStatistics& statistics_;
  int next_due_;  // pages in the log at which the next checkpoint begins
  int last_pages_ = 0;
  bool committed_ = false;  // since the last checkpoint

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  Stage stage_ = Stage::idle;
  bool stopping_ = false;
  std::unique_ptr<SqliteConnection> bulk_;
  std::thread thread_;
};

}  // namespace freehold
