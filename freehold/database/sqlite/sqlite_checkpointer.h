// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "freehold/database/sqlite/sqlite_connection.h"
#include "freehold/database/sqlite/sqlite_database.h"
#include "freehold/database/sqlite/sqlite_readers.h"

namespace freehold {

// Carries the write-ahead log back into the file. When the log has `pages_due` pages, a thread
// carries them over beside the writer (PASSIVE) and syncs the file, and then once more what came
// meanwhile; under constant writes it never gets to the end, so the lane does the small remainder
// between two commits, and the next commit starts the log from its beginning. At four times that
// size reads are held up until the remainder is done. A checkpoint begins only after a commit that
// wrote to the log, never right after another complete one: that is the pattern in which
// SQLite 3.40 may reset a log that is still needed. When the file could not be synced, the log is
// kept until a restart.
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

  // Gives the passes to a thread with a connection of its own; without one the lane does all of it.
  void start(std::unique_ptr<SqliteConnection> passing);
  void stop();

  // The lane's thread.
  void commit_begins() { readers_.commit_begins(); }
  void commit_ended(bool is_committed) {
    readers_.commit_ended();
    if (std::exchange(lane_.wal_was_written, false) && is_committed) committed_ = true;
  }
  void rest();
  // The lane's thread, at rest: everything into the file, the log empty. Waits for reads; false:
  // one, or a backup, was in the way for too long.
  bool truncate();

 private:
  enum class Stage { idle, passing, passed, given_up };

  void run_thread();
  bool pass();
  void carry_remainder();

  SqliteConnection& lane_;
  SqliteReaders& readers_;
  const int pages_due_;
  SqliteStatistics& statistics_;
  int next_due_;  // pages in the log at which the next checkpoint begins
  int last_pages_ = 0;
  int passes_ = 0;          // of the thread, since the log began or the lane's last remainder
  bool committed_ = false;  // something, since the last checkpoint was seen to end

  std::mutex mutex_;  // guards all below
  std::condition_variable changed_;
  Stage stage_ = Stage::idle;
  bool stopping_ = false;
  std::unique_ptr<SqliteConnection> passing_;
  std::thread thread_;
};

}  // namespace freehold
