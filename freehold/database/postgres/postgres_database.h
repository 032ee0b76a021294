// SPDX-License-Identifier: Apache-2.0
//
// The server database: PostgreSQL 15 or newer, any number of instances of one service on it. One
// lane an instance writes, on a connection of its own and in pipeline mode; reads run on a bounded
// set of other connections, a snapshot each. An answer is given after the commit is durable there.
//
// Who may do what. Two roles are meant to use one database:
//   - the migrator owns the schema. It opens the database, which makes the toolkit's own tables
//     when they are missing, and runs migrate();
//   - the service itself has rights on data only: select, insert, update and delete on all tables
//     of the schema, the toolkit's among them. It opens the database too: whoever may create
//     nothing must find everything made. So it is with migrate(), which begins nothing that has
//     been run before, and fails with the step that it may not run.
// A role that has both rights can do both: a database for development or a test needs one only.
//
// What is refused, with a sentence: a server whose fsync, full_page_writes or synchronous_commit is
// off, one that is a standby, and a pooler that gives one session another server process from
// transaction to transaction.
//
// While the server cannot be reached the process stays up: the lane tries again, at first at once,
// then at growing intervals of at most a second; what has waited for `away_max` is answered with
// database_unavailable, and what finds the queue full with overloaded. A commit whose answer was
// lost is looked up by its marker when the server is back; until then its callers have
// commit_unknown, as long after it.
#pragma once

#include <atomic>
#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "freehold/base/result.h"
#include "freehold/database/database.h"
#include "freehold/database/lane.h"

namespace freehold {

struct PostgresOptions {
  // A connection URI as libpq reads it: "postgresql://order_app@127.0.0.1:5433/order?passfile=…", a
  // socket's directory as host=/path. What the driver needs it sets itself: session limits,
  // keepalives, the application's name.
  std::string url;
  boost::asio::any_io_executor executor;  // where outcomes and on_commit entries run
  std::string service;                    // whose database it is; for messages
  std::uint32_t log_partitions = 1;       // of the log, when it is created

  std::size_t requests_max = 4096;
  std::size_t consumers_max = 4096;
  int readers_max = 8;  // reads at one time, a connection each; the next one waits
  // How long what is to be written waits for a server that is away.
  std::chrono::milliseconds away_max{3'000};
};

struct PostgresStatistics {
  std::atomic<std::uint64_t> reads = 0;
  std::atomic<std::uint64_t> connections = 0;      // that were made, lane and readers
  std::atomic<std::uint64_t> commits_unknown = 0;  // whose answer was lost
  std::atomic<std::uint64_t> commits_found = 0;    // of these, found to have happened
};

// Commits are told to the other instances, as hints, by a thread of their own (LISTEN and NOTIFY):
// they wake on_appended_elsewhere and the watches there.
class PostgresDatabase final : public Database {
 public:
  // Connects, checks the server, makes the toolkit's own tables when they are missing and the role
  // may create tables, and starts the lane. Fails with database_unavailable and a sentence that
  // says what is wrong: not reachable, refused as above, tables missing that this role may not
  // create, made by a newer program.
  static Result<std::unique_ptr<PostgresDatabase>> open(PostgresOptions options);
  ~PostgresDatabase() override;  // stop()

  Result<> read_now(std::move_only_function<void(SqlTransaction&)> body) override;
  Result<> write_now(std::move_only_function<Result<>(SqlTransaction&)> body) override;
  void submit(Urgency urgency, Job job) override;
  void on_appended(std::function<void(std::span<const StoredEvent>)> listener) override;
  void on_appended_elsewhere(std::function<void()> listener) override;
  bool is_shared() const override { return true; }
  double load() const override;
  bool reads_elsewhere() const override { return true; }
  void submit_read(Read read) override;

  // Writes the tables anew that are commented as 'personal data', if something was erased
  // (Transaction::erased) before that moment and they were not since: then the erased bytes are in
  // no file of the database. What of them is in the server's log goes with the next checkpoint
  // (deploy/postgres/README.md). A moment of some seconds ago: rows that a read still sees stay.
  // The tables are locked meanwhile; who writes to them waits, for the time of a lock. Blocks, on a
  // connection of its own. Fails with database_unavailable: then it is still to be done.
  Result<> erase_for_good(Time erased_before);

  // Refuses new jobs, finishes the queued ones or fails them when the server is away, ends the
  // threads and connections. Twice is once. Call it before the executor goes.
  void stop();

  const LaneStatistics& lane_statistics() const;
  const PostgresStatistics& statistics() const;

 private:
  struct Parts;
  explicit PostgresDatabase(PostgresOptions options);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace freehold
