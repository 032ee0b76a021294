// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_checkpointer.h"

#include <sqlite3.h>

#include <string>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"

namespace freehold {
namespace {

constexpr int waiting_factor = 4;

// The first takes as long as some hundred pages need to be written; the second leaves few of those.
constexpr int passes_max = 2;

}  // namespace

void SqliteCheckpointer::start(std::unique_ptr<SqliteConnection> passing) {
  passing_ = std::move(passing);
  thread_ = std::thread{[this] { run_thread(); }};
}

void SqliteCheckpointer::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  passing_.reset();
}

void SqliteCheckpointer::rest() {
  if (!committed_) return;
  const int pages = lane_.wal_pages;
  statistics_.wal_pages = static_cast<std::uint64_t>(pages);
  if (pages < last_pages_) {  // the log has begun anew
    next_due_ = pages_due_;
    passes_ = 0;
  }
  last_pages_ = pages;
  if (pages < next_due_) return;
  {
    const std::lock_guard lock{mutex_};
    if (stage_ == Stage::passing || stage_ == Stage::given_up) return;
    if (stage_ == Stage::passed) {
      stage_ = Stage::idle;
      committed_ = false;  // it may have ended behind the commit that this follows
      return;
    }
    if (passes_ < passes_max && thread_.joinable()) {
      ++passes_;
      ++statistics_.passes;
      stage_ = Stage::passing;
      changed_.notify_all();
      return;
    }
  }
  passes_ = 0;
  carry_remainder();
}

// A reader may hold the end of the log in use: then it goes on growing, and a quarter later it is
// tried again. Under reads without a gap that would never succeed, so from a bound on they are held
// up, for no longer than one of them may take.
void SqliteCheckpointer::carry_remainder() {
  std::optional<SqliteReaders::Pause> pause;
  if (last_pages_ >= waiting_factor * pages_due_) pause.emplace(readers_);
  readers_.drop_snapshots();
  try {
    if (lane_.checkpoint(SQLITE_CHECKPOINT_PASSIVE)) ++statistics_.checkpoints;
  } catch (const DatabaseFault& fault) {
    record(Severity::error, "a checkpoint failed", {{"why", fault.what()}});
  }
  readers_.drop_snapshots();  // those of reads meanwhile, which would keep the log from its start
  committed_ = false;
  next_due_ = last_pages_ + pages_due_ / 4;
}

bool SqliteCheckpointer::truncate() {
  std::unique_lock lock{mutex_};
  changed_.wait(lock, [this] { return stage_ != Stage::passing; });
  if (stage_ == Stage::given_up) return false;
  const bool pass_was_last = std::exchange(stage_, Stage::idle) == Stage::passed;
  if (pass_was_last || !committed_)
    lane_.run("pragma user_version = " + std::to_string(lane_.number("pragma user_version")));
  const SqliteReaders::Pause pause{readers_};
  const bool is_empty = lane_.checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  if (is_empty) ++statistics_.checkpoints;
  committed_ = lane_.wal_was_written = false;
  last_pages_ = 0;
  passes_ = 0;
  next_due_ = pages_due_;
  return is_empty;
}

// SQLite syncs the file itself only at the end of the log. Here it spares the lane the wait for all
// that this pass has written. False: what was written may be lost, although the kernel will not say
// so a second time; only the log has it for certain.
bool SqliteCheckpointer::pass() {
  try {
    try {
      passing_->checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    } catch (const DatabaseFault& fault) {
      if (!fault.error().is(errors::disk_full)) throw;  // it may have come from a sync
      record(Severity::error, "a checkpoint failed", {{"why", fault.what()}});
    }
    passing_->sync_file();
    return true;
  } catch (const DatabaseFault& fault) {
    record(Severity::error, "the database file cannot be synced; its log is kept until a restart",
           {{"why", fault.what()}});
    return false;
  }
}

void SqliteCheckpointer::run_thread() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || stage_ == Stage::passing; });
    if (stopping_) break;
    lock.unlock();
    readers_.drop_snapshots();
    const bool is_synced = pass();
    lock.lock();
    stage_ = is_synced ? Stage::passed : Stage::given_up;
    changed_.notify_all();
  }
  if (stage_ != Stage::given_up) stage_ = Stage::idle;
}

}  // namespace freehold
