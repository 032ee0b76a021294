// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/database/database.h"
#include "freehold/database/internal/read_transaction.h"
#include "freehold/database/postgres/postgres_books.h"
#include "freehold/database/postgres/postgres_connection.h"
#include "freehold/database/postgres/postgres_database.h"
#include "freehold/database/postgres/postgres_foresight.h"

namespace freehold {

using PostgresReadTransaction =
    internal::ReadTransaction<PostgresConnection, PostgresBooks, sql::Dialect::postgres>;

// A bounded set of connections that only read, made as they are needed, each lent to one read at a
// time. Used by any thread.
class PostgresReaders {
 public:
  PostgresReaders(PostgresConnection::Options options, int readers_max,
                  PostgresStatistics& statistics);

  // Runs the body on one snapshot, on this thread; waits for a connection when all are lent. Fails
  // with read_too_long and database_unavailable; what else the body throws passes through. While
  // the server is away most reads fail at once: one of them tries to reach it, the others learn
  // from it.
  Result<> read(std::move_only_function<void(SqlTransaction&)>& body);

  // As Database::submit_read, on threads of `executor`. What waits while others are read is read
  // together: on one snapshot, and its questions by key in one message.
  void submit(Database::Read read, const boost::asio::any_io_executor& executor);
  // Calls no further thread for slow reads, so that those of `executor` can end; what waits is read
  // still. After the last submit.
  void stop();

 private:
  struct Reader {
    Reader(const PostgresConnection::Options& options, Deadline until)
        : connection(options, until), transaction(connection) {}
    PostgresConnection connection;
    PostgresReadTransaction transaction;
  };
  class Loan;
  using Timer = boost::asio::basic_waitable_timer<SteadyClock>;

  // The next two under the mutex; the second calls another thread if those under way take longer
  // than slow_after.
  void call_another(const boost::asio::any_io_executor& executor);
  void overtake_later(const boost::asio::any_io_executor& executor);
  void read_waiting();
  void read_together(std::span<Database::Read> reads);
  void read_alone(Database::Read& read);
  std::unique_ptr<Reader> lend();
  std::unique_ptr<Reader> make();
  void take_back(std::unique_ptr<Reader> reader);

  const PostgresConnection::Options options_;
  PostgresStatistics& statistics_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Reader>> idle_;
  int free_places_;
  SteadyClock::time_point next_try_{};  // when the server was away
  std::string why_;
  std::deque<Database::Read> waiting_;
  std::size_t reading_ = 0;             // threads that take from there
  SteadyClock::time_point taken_at_{};  // when one last did
  std::shared_ptr<Timer> overtaking_;   // when another may be called
  bool has_stopped_ = false;
};

}  // namespace freehold
