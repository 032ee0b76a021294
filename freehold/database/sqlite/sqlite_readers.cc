// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_readers.h"

#include <chrono>
#include <utility>

#include "freehold/base/clock.h"

namespace freehold {
namespace {

// A longer read would keep the write-ahead log from being reset.
constexpr std::chrono::seconds read_time_max{1};

constexpr std::chrono::seconds pause_wait_max{2};

}  // namespace

// One connection while it is lent, and its open snapshot.
class SqliteReaders::Loan {
 public:
  // Built in two steps, so that a snapshot that cannot be opened still gives the connection back.
  explicit Loan(SqliteReaders& owner) : Loan(owner, owner.lend()) {
    reader_->connection.command("begin");
    reader_->connection.enter_transaction(SteadyClock::now() + read_time_max);
    has_begun_ = true;
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() {
    if (has_begun_) {
      reader_->connection.leave_transaction();
      reader_->connection.command("rollback");  // nothing was written: it ends the snapshot
    }
    owner_.take_back(std::move(reader_));
  }

  SqlTransaction& transaction() { return reader_->transaction; }

 private:
  Loan(SqliteReaders& owner, std::unique_ptr<Reader> reader)
      : owner_(owner), reader_(std::move(reader)) {}

  SqliteReaders& owner_;
  std::unique_ptr<Reader> reader_;
  bool has_begun_ = false;
};

SqliteReaders::SqliteReaders(SqliteConnection::Options options, int readers_max)
    : options_(std::move(options)), free_places_(readers_max) {}

Result<> SqliteReaders::read(std::move_only_function<void(SqlTransaction&)>& body) {
  try {
    Loan loan{*this};
    body(loan.transaction());
    return {};
  } catch (const DatabaseFault& fault) {
    return fault.error();
  }
}

std::unique_ptr<SqliteReaders::Reader> SqliteReaders::lend() {
  {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return !paused_ && (!idle_.empty() || free_places_ > 0); });
    ++lent_;
    if (!idle_.empty()) {
      auto reader = std::move(idle_.back());
      idle_.pop_back();
      return reader;
    }
    --free_places_;
  }
  try {
    return std::make_unique<Reader>(options_);
  } catch (const DatabaseFault&) {
    const std::lock_guard lock{mutex_};
    ++free_places_;
    --lent_;
    changed_.notify_all();
    throw;
  }
}

void SqliteReaders::take_back(std::unique_ptr<Reader> reader) {
  {
    const std::lock_guard lock{mutex_};
    idle_.push_back(std::move(reader));
    --lent_;
  }
  changed_.notify_all();
}

SqliteReaders::Pause::Pause(SqliteReaders& readers) : readers_(readers) {
  std::unique_lock lock{readers_.mutex_};
  readers_.paused_ = true;
  readers_.changed_.wait_for(lock, pause_wait_max, [&] { return readers_.lent_ == 0; });
}

SqliteReaders::Pause::~Pause() {
  {
    const std::lock_guard lock{readers_.mutex_};
    readers_.paused_ = false;
  }
  readers_.changed_.notify_all();
}

}  // namespace freehold
