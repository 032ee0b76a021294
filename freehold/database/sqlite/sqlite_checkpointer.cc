// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_checkpointer.h"

#include <sqlite3.h>

#include <string>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"

namespace freehold {
namespace {

constexpr int waiting_factor = 4;

}  // namespace

void SqliteCheckpointer::start(std::unique_ptr<SqliteConnection> bulk) {
  bulk_ = std::move(bulk);
  thread_ = std::thread{[this] { run_thread(); }};
}

void SqliteCheckpointer::stop() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
  bulk_.reset();
}

void SqliteCheckpointer::rest() {
  if (!committed_) return;
  const int pages = lane_.wal_pages;
  statistics_.wal_pages = static_cast<std::uint64_t>(pages);
  if (pages < last_pages_) next_due_ = pages_due_;  // the log has begun anew
  last_pages_ = pages;
  if (pages < next_due_) return;
  {
    const std::lock_guard lock{mutex_};
    if (stage_ == Stage::bulk || stage_ == Stage::given_up) return;
    if (stage_ == Stage::idle && thread_.joinable()) {
      stage_ = Stage::bulk;
      changed_.notify_all();
      return;
    }
    stage_ = Stage::idle;
  }
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
  changed_.wait(lock, [this] { return stage_ != Stage::bulk; });
  if (stage_ == Stage::given_up) return false;
  stage_ = Stage::idle;
  if (!committed_)
    lane_.run("pragma user_version = " + std::to_string(lane_.number("pragma user_version")));
  const SqliteReaders::Pause pause{readers_};
  const bool is_empty = lane_.checkpoint(SQLITE_CHECKPOINT_TRUNCATE);
  if (is_empty) ++statistics_.checkpoints;
  committed_ = false;
  last_pages_ = 0;
  next_due_ = pages_due_;
  return is_empty;
}

// SQLite syncs the file itself only at the end of the log. Here it spares the lane the wait for all
// that this pass has written. False: what was written may be lost, although the kernel will not say
// so a second time; only the log has it for certain.
bool SqliteCheckpointer::carry_bulk() {
  try {
    try {
      bulk_->checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    } catch (const DatabaseFault& fault) {
      if (!fault.error().is(errors::disk_full)) throw;  // it may have come from a sync
      record(Severity::error, "a checkpoint failed", {{"why", fault.what()}});
    }
    bulk_->sync_file();
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
    changed_.wait(lock, [this] { return stopping_ || stage_ == Stage::bulk; });
    if (stopping_) break;
    lock.unlock();
    readers_.drop_snapshots();
    const bool is_synced = carry_bulk();
    lock.lock();
    stage_ = is_synced ? Stage::remainder : Stage::given_up;
    changed_.notify_all();
  }
  if (stage_ != Stage::given_up) stage_ = Stage::idle;
}

}  // namespace freehold
