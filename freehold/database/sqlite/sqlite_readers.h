// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/database/sqlite/sqlite_connection.h"
#include "freehold/database/sqlite/sqlite_transaction.h"

namespace freehold {

// A bounded set of reading connections, opened as they are needed, each lent to one read at a
// time. Used by any thread.
class SqliteReaders {
 public:
  SqliteReaders(SqliteConnection::Options options, int readers_max);

  // Runs the body on one snapshot, on this thread; waits for a connection when all are lent. Fails
  // with read_too_long and database_unavailable; what else the body throws passes through.
  Result<> read(std::move_only_function<void(SqlTransaction&)>& body);

 private:
  struct Reader {
    explicit Reader(const SqliteConnection::Options& options)
        : connection(options), transaction(connection) {}
    SqliteConnection connection;
    SqliteReadTransaction transaction;
  };
  class Loan;

  std::unique_ptr<Reader> lend();
  void take_back(std::unique_ptr<Reader> reader);

  const SqliteConnection::Options options_;
  std::mutex mutex_;  // guards all below
  std::condition_variable came_back_;
  std::vector<std::unique_ptr<Reader>> idle_;
  int free_places_;
};

}  // namespace freehold
