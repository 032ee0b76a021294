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

// SQLite takes the snapshot at the first read after `begin`, so it may have more than was committed
// before, never less.
void SqliteReaders::Reader::see(std::uint64_t moment) {
  if (has_snapshot && opened_at == moment && moment % 2 == 0) return;
  end_snapshot();
  connection.command("begin");
  has_snapshot = true;
  opened_at = moment;
}

void SqliteReaders::Reader::end_snapshot() {
  if (std::exchange(has_snapshot, false)) connection.command("rollback");  // nothing was written
}

// One connection while it is lent, and its open snapshot.
class SqliteReaders::Loan {
 public:
  // Built in two steps, so that a snapshot that cannot be opened still gives the connection back.
  explicit Loan(SqliteReaders& owner) : Loan(owner, owner.lend()) {
    reader_->see(owner.moments_);
    reader_->connection.enter_transaction(SteadyClock::now() + read_time_max);
    has_entered_ = true;
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() {
    if (has_entered_) {
      reader_->connection.leave_transaction();
      if (!is_over_) reader_->end_snapshot();
    }
    owner_.take_back(std::move(reader_));
  }

  void run(std::move_only_function<void(SqlTransaction&)>& body) {
    body(reader_->transaction);
    is_over_ = true;
  }

 private:
  Loan(SqliteReaders& owner, std::unique_ptr<Reader> reader)
      : owner_(owner), reader_(std::move(reader)) {}

  SqliteReaders& owner_;
  std::unique_ptr<Reader> reader_;
  bool has_entered_ = false;
  bool is_over_ = false;  // without a fault
};

SqliteReaders::SqliteReaders(SqliteConnection::Options options, int readers_max)
    : options_(std::move(options)), free_places_(readers_max) {}

Result<> SqliteReaders::read(std::move_only_function<void(SqlTransaction&)>& body) {
  try {
    Loan loan{*this};
    loan.run(body);
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

void SqliteReaders::drop_snapshots() {
  const std::lock_guard lock{mutex_};
  for (const auto& reader : idle_) reader->end_snapshot();
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
  for (const auto& reader : readers_.idle_) reader->end_snapshot();
}

SqliteReaders::Pause::~Pause() {
  {
    const std::lock_guard lock{readers_.mutex_};
    readers_.paused_ = false;
  }
  readers_.changed_.notify_all();
}

}  // namespace freehold
