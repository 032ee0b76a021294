// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_readers.h"

#include <chrono>
#include <utility>

#include "freehold/base/clock.h"
#include "freehold/base/errors.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds read_time_max{1'000};
constexpr milliseconds answer_patience{1'500};  // the server ends a statement after 1 s itself
constexpr milliseconds connect_patience{1'000};
constexpr milliseconds away_pause{200};

}  // namespace

// One connection while it is lent, and its open snapshot.
class PostgresReaders::Loan {
 public:
  explicit Loan(PostgresReaders& owner) : owner_(owner), reader_(owner.lend()) {
    reader_->connection.begin_transaction(deadline_in(read_time_max));
  }
  Loan(const Loan&) = delete;
  Loan& operator=(const Loan&) = delete;
  ~Loan() {
    if (!has_ended_) reader_->connection.roll_back();
    owner_.take_back(std::move(reader_));
  }

  SqlTransaction& transaction() { return reader_->transaction; }
  bool is_lost() const { return reader_->connection.is_lost(); }
  void end() {
    reader_->connection.end_read();
    has_ended_ = true;
  }

 private:
  PostgresReaders& owner_;
  std::unique_ptr<Reader> reader_;
  bool has_ended_ = false;
};

PostgresReaders::PostgresReaders(PostgresConnection::Options options, int readers_max,
                                 PostgresStatistics& statistics)
    : options_(std::move(options)), statistics_(statistics), free_places_(readers_max) {}

// A connection that has lain idle may have broken meanwhile, and only its use tells: the body is
// run once more on another, for it has read only.
Result<> PostgresReaders::read(std::move_only_function<void(SqlTransaction&)>& body) {
  constexpr int tries_max = 2;
  for (int tries = 1;; ++tries) {
    bool was_lost = false;
    try {
      Loan loan{*this};
      try {
        body(loan.transaction());
        loan.end();
        return {};
      } catch (const DatabaseFault&) {
        was_lost = loan.is_lost();
        throw;
      }
    } catch (const DatabaseFault& fault) {
      if (was_lost && tries < tries_max) continue;
      return fault.error();
    }
  }
}

std::unique_ptr<PostgresReaders::Reader> PostgresReaders::lend() {
  {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return !idle_.empty() || free_places_ > 0; });
    while (!idle_.empty()) {
      auto reader = std::move(idle_.back());
      idle_.pop_back();
      if (reader->connection.is_alive()) return reader;
      ++free_places_;
    }
    if (SteadyClock::now() < next_try_) throw DatabaseFault(errors::database_unavailable, why_);
    --free_places_;
  }
  return make();
}

std::unique_ptr<PostgresReaders::Reader> PostgresReaders::make() {
  try {
    auto reader = std::make_unique<Reader>(options_, deadline_in(connect_patience));
    reader->connection.set_patience(answer_patience);
    reader->connection.check_primary();
    ++statistics_.connections;
    return reader;
  } catch (const DatabaseFault& fault) {
    const std::lock_guard lock{mutex_};
    ++free_places_;
    next_try_ = SteadyClock::now() + away_pause;
    why_ = fault.what();
    changed_.notify_one();
    throw;
  }
}

// The others that are idle broke with it, as likely as not: they go too.
void PostgresReaders::take_back(std::unique_ptr<Reader> reader) {
  std::vector<std::unique_ptr<Reader>> gone;
  {
    const std::lock_guard lock{mutex_};
    if (reader->connection.is_lost()) {
      gone = std::exchange(idle_, {});
      gone.push_back(std::move(reader));
      free_places_ += static_cast<int>(gone.size());
    } else {
      idle_.push_back(std::move(reader));
    }
  }
  changed_.notify_all();
}

}  // namespace freehold
