// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_checkpointer.h"

#include <sqlite3.h>

#include <string>

#include "freehold/base/record.h"

namespace freehold {
namespace {

constexpr int waiting_factor = 4;

// Another pass of the thread is worth its sync when it spares the lane more than this share of what
// is due; but a log that has grown to so many times of it must begin anew soon.
constexpr int remainder_share = 16;
constexpr int passes_factor = 2;

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

void SqliteCheckpointer::commit_begins() {
  {
    const std::lock_guard lock{mutex_};
    stage_at_commit_ = stage_;
  }
  readers_.commit_begins();
}

void SqliteCheckpointer::commit_ended(bool is_committed) {
  readers_.commit_ended();
  if (is_committed)
    committed_ = true;
  else
    stage_at_commit_ = Stage::idle;
}

void SqliteCheckpointer::rest() {
  if (!committed_) return;
  const int pages = lane_.wal_pages;
  statistics_.wal_pages = static_cast<std::uint64_t>(pages);
  if (pages < last_pages_) {  // the log has begun anew
    next_due_ = pages_due_;
    passed_ = 0;
  }
  last_pages_ = pages;
  if (pages >= next_due_ && !gives_to_thread(pages)) carry_remainder();
}

// Whether the thread works on the log, or will.
bool SqliteCheckpointer::gives_to_thread(int pages) {
  const std::lock_guard lock{mutex_};
  if (stage_ == Stage::bulk) return true;
  if (!thread_.joinable()) return false;
  if (stage_ == Stage::idle) passed_ = 0;
  if (passed_ > 0) {
    if (pages - passed_ <= pages_due_ / remainder_share || pages >= passes_factor * pages_due_) {
      stage_ = Stage::idle;
      return false;
    }
    // The last pass may have been a complete one: a commit must lie behind it.
    if (stage_at_commit_ != Stage::remainder) return true;
  }
  passed_ = pages;
  stage_ = stage_at_commit_ = Stage::bulk;
  changed_.notify_all();
  return true;
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

void SqliteCheckpointer::run_thread() {
  std::unique_lock lock{mutex_};
  for (;;) {
    changed_.wait(lock, [this] { return stopping_ || stage_ == Stage::bulk; });
    if (stopping_) break;
    lock.unlock();
    readers_.drop_snapshots();
    try {
      bulk_->checkpoint(SQLITE_CHECKPOINT_PASSIVE);
      bulk_->sync_file();  // else the lane's sync would wait for all of it
    } catch (const DatabaseFault& fault) {
      record(Severity::error, "a checkpoint failed", {{"why", fault.what()}});
    }
    lock.lock();
    stage_ = Stage::remainder;
    changed_.notify_all();
  }
  stage_ = Stage::idle;
}

}  // namespace freehold
