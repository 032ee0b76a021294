// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_readers.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <chrono>
#include <iterator>
#include <utility>

#include "freehold/base/clock.h"
#include "freehold/base/errors.h"
#include "freehold/database/postgres/postgres_foresight.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds read_time_max{1'000};
constexpr milliseconds answer_patience{1'500};  // the server ends a statement after 1 s itself
constexpr milliseconds connect_patience{1'000};
constexpr milliseconds away_pause{200};
constexpr std::size_t together_max = 32;
constexpr milliseconds slow_after{2};  // then those behind them are not kept waiting

}  // namespace

// One connection while it is lent, and its open snapshot.
class PostgresReaders::Loan {
 public:
  explicit Loan(PostgresReaders& owner) : owner_(owner), reader_(owner.lend()) {
    reader_->connection.begin_transaction(deadline_in(read_time_max));
    reader_->connection.foresight().begin(PostgresForesight::Use::exact);
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

// One thread, so that those that come meanwhile go together; more when many wait, or when those
// that are read take their time.
void PostgresReaders::submit(Database::Read read, const boost::asio::any_io_executor& executor) {
  const std::lock_guard lock{mutex_};
  waiting_.push_back(std::move(read));
  if (reading_ < 1 + waiting_.size() / together_max)
    call_another(executor);
  else
    overtake_later(executor);
}

void PostgresReaders::call_another(const boost::asio::any_io_executor& executor) {
  ++reading_;
  taken_at_ = SteadyClock::now();
  boost::asio::post(executor, [this] { read_waiting(); });
}

void PostgresReaders::overtake_later(const boost::asio::any_io_executor& executor) {
  if (overtaking_ || has_stopped_) return;
  overtaking_ = std::make_shared<Timer>(executor, slow_after);
  overtaking_->async_wait([this, executor](const boost::system::error_code&) {
    const std::lock_guard lock{mutex_};
    overtaking_.reset();
    if (waiting_.empty()) return;
    if (SteadyClock::now() - taken_at_ >= slow_after) call_another(executor);
    overtake_later(executor);
  });
}

void PostgresReaders::stop() {
  const std::lock_guard lock{mutex_};
  has_stopped_ = true;
  if (overtaking_) overtaking_->cancel();
}

void PostgresReaders::read_waiting() {
  for (;;) {
    std::vector<Database::Read> reads;
    {
      const std::lock_guard lock{mutex_};
      const std::size_t count = std::min(waiting_.size(), together_max);
      if (count == 0) {
        --reading_;
        return;
      }
      taken_at_ = SteadyClock::now();
      const auto end = waiting_.begin() + static_cast<std::ptrdiff_t>(count);
      reads.assign(std::make_move_iterator(waiting_.begin()), std::make_move_iterator(end));
      waiting_.erase(waiting_.begin(), end);
    }
    if (reads.size() == 1)
      read_alone(reads.front());
    else
      read_together(reads);
  }
}

// One whose question fails ends the snapshot of all: it and those behind it are read alone.
void PostgresReaders::read_together(std::span<Database::Read> reads) {
  std::vector<std::exception_ptr> thrown(reads.size());
  std::size_t was_read = 0;
  try {
    Loan loan{*this};
    loan.transaction().look_ahead(reads.size(),
                                  [&](std::size_t i) { reads[i].body(loan.transaction()); });
    for (; was_read < reads.size(); ++was_read) {
      try {
        reads[was_read].body(loan.transaction());
      } catch (const DatabaseFault&) {
        throw;
      } catch (const std::exception&) {
        thrown[was_read] = std::current_exception();
      }
    }
    loan.end();
  } catch (const DatabaseFault&) {
    was_read = std::min(was_read, reads.size());
  }
  for (std::size_t i = 0; i < was_read; ++i) reads[i].done({}, thrown[i]);
  for (Database::Read& read : reads.subspan(was_read)) read_alone(read);
}

void PostgresReaders::read_alone(Database::Read& alone) {
  try {
    const Result<> done = read(alone.body);
    alone.done(done, nullptr);
  } catch (const std::exception&) {
    alone.done({}, std::current_exception());
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
