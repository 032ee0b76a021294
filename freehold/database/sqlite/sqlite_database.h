// SPDX-License-Identifier: Apache-2.0
//
// The embedded database: one SQLite file in write-ahead mode, one lane that writes, a bounded set
// of read-only connections beside it, and a thread that carries the write-ahead log back into the
// file. A commit is on disk (synchronous=FULL) before anybody sees it.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/database/lane.h"

namespace freehold {

struct SqliteOptions {
  // Made when it is missing; mode 0700, the files in it 0600. One process at a time.
  std::filesystem::path directory;
  boost::asio::any_io_executor executor;  // where outcomes and on_commit entries run
  std::string service;                    // whose database it is; for messages
  std::uint32_t log_partitions = 1;       // of the log, when it is created

  // The storage door: the name of a registered SQLite VFS. With one, `directory` is a name inside
  // it, and modes and the lock against a second process are its own affair.
  std::string storage;
  bool start_lane = true;  // false: run_pending() drives the lane, and there is no other thread

  std::size_t requests_max = 4096;
  std::size_t consumers_max = 4096;
  int page_cache_kib = 8192;           // of the writing connection; every commit pays for its size
  int readers_page_cache_kib = 16384;  // of each reading one: commits nothing, so it costs memory
  int readers_max = 8;                 // reads at one time; the next one waits
  int checkpoint_pages = 4000;
  bool secure_delete = false;               // overwrites what is deleted with zeros
  std::function<void()> on_commit_unknown;  // see LaneOptions
};

struct SqliteStatistics {
  std::atomic<std::uint64_t> checkpoints = 0;  // complete ones, by the lane
  std::atomic<std::uint64_t> passes = 0;       // that the checkpointer's thread was given
  std::atomic<std::uint64_t> wal_pages = 0;    // in the write-ahead log after the last commit
  std::atomic<std::uint64_t> reads = 0;
};

class SqliteDatabase final : public Database {
 public:
  // Opens the database of that directory, makes it and the toolkit's own tables when they are
  // missing, and starts its threads. Fails with database_unavailable and a sentence that says what
  // is wrong: not writable, in use by another process, no database, damaged, of a newer program.
  static Result<std::unique_ptr<SqliteDatabase>> open(SqliteOptions options);
  ~SqliteDatabase() override;  // stop()

  Result<> read_now(std::move_only_function<void(SqlTransaction&)> body) override;
  Result<> write_now(std::move_only_function<Result<>(SqlTransaction&)> body) override;
  void submit(Urgency urgency, Job job) override;
  void on_appended(std::function<void(std::span<const StoredEvent>)> listener) override;
  double load() const override;

  // Copies the database, as it is at one moment, into `file` (mode 0600) while it serves. The file
  // appears whole or not at all; it is an ordinary SQLite database. Blocks; for a thread of its
  // own.
  Result<> backup_to(const std::filesystem::path& file);

  // Empties the write-ahead log, so that what was deleted is in no file any more (with
  // secure_delete). Waits for the reads that are under way; writers wait meanwhile. Blocks.
  Result<> truncate_wal();

  // Without a lane thread: runs what is queued, returns how many jobs.
  std::size_t run_pending();

  // Refuses new jobs, finishes the queued ones, carries the write-ahead log into the file, ends the
  // threads. Twice is once. Call it before the executor goes.
  void stop();

  const LaneStatistics& lane_statistics() const;
  const SqliteStatistics& statistics() const;

 private:
  struct Parts;
  explicit SqliteDatabase(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace freehold
