// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_readers.h"

#include <chrono>
#include <utility>

#include "freehold/base/clock.h"

namespace freehold {
namespace {

// A longer read would keep the write-ahead log from being reset.
constexpr std::chrono::seconds read_time_max{1};

}  // namespace

// One connection while it is lent, and its open snapshot.
class SqliteReaders::Loan {
 public:
  explicit Loan(SqliteReaders& owner) : owner_(owner), reader_(owner.lend()) {
    reader_->connection.command("begin");
    reader_->connection.enter_transaction(SteadyClock::now() + read_time_max);
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() {
    reader_->connection.leave_transaction();
    reader_->connection.command("rollback");  // nothing was written: it ends the snapshot
    owner_.take_back(std::move(reader_));
  }

  SqlTransaction& transaction() { return reader_->transaction; }

 private:
  SqliteReaders& owner_;
  std::unique_ptr<Reader> reader_;
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
    came_back_.wait(lock, [this] { return !idle_.empty() || free_places_ > 0; });
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
    came_back_.notify_one();
    throw;
  }
}

void SqliteReaders::take_back(std::unique_ptr<Reader> reader) {
  {
    const std::lock_guard lock{mutex_};
    idle_.push_back(std::move(reader));
  }
  came_back_.notify_one();
}

}  // namespace freehold
