// SPDX-License-Identifier: Apache-2.0
//
// How many transactions a second a lane commits: each inserts three rows and an event, about 400
// bytes of text together, and a given number of them is under way at any time.
//
//   lane_benchmark sqlite DIRECTORY [IN_FLIGHT]
//   lane_benchmark postgres URL [IN_FLIGHT]    the database is its own: it makes tables there
//   lane_benchmark libpq URL [BATCH]           the same rows without a lane, for comparison
#include <libpq-fe.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <string>
#include <string_view>
#include <thread>

#include "freehold/base/clock.h"
#include "freehold/base/id.h"
#include "freehold/database/lane.h"
#include "freehold/database/postgres/postgres_database.h"
#include "freehold/database/sqlite/sqlite_database.h"

namespace freehold {
namespace {

constexpr std::chrono::seconds duration{5};
const std::string payload(130, 'x');

constexpr std::string_view tables =
    "create table first (id blob primary key, payload text not null) without rowid; "
    "create table second (id blob primary key, payload text not null) without rowid; "
    "create table third (id blob primary key, payload text not null) without rowid";
constexpr sql::Change<void(IdBytes, std::string_view)> insert_first{
    "insert into first (id, payload) values ($1, $2)"};
constexpr sql::Change<void(IdBytes, std::string_view)> insert_second{
    "insert into second (id, payload) values ($1, $2)"};
constexpr sql::Change<void(IdBytes, std::string_view)> insert_third{
    "insert into third (id, payload) values ($1, $2)"};

Result<> place_one(SqlTransaction& transaction) {
  const IdBytes id = make_id_bytes();
  transaction.run(insert_first, id, payload);
  transaction.run(insert_second, id, payload);
  transaction.run(insert_third, id, payload);
  transaction.append({.type = "order.placed.v1",
                      .subject = to_text(id),
                      .partition_key = to_text(id),
                      .recipient = {},
                      .json = "\"data\":\"" + payload + '"'});
  return {};
}

class Load {
 public:
  Load(Database& database, int in_flight) : database_(database) {
    for (int i = 0; i < in_flight; ++i) submit();
  }

  // Ends when nothing is under way any more.
  std::int64_t run() {
    for (int before = under_way_; before > 0; before = under_way_) under_way_.wait(before);
    return committed_;
  }

 private:
  void submit() {
    ++under_way_;
    database_.submit(Urgency::request, {.body = place_one, .done = [this](const Result<>& outcome) {
                                          if (outcome) ++committed_;
                                          if (SteadyClock::now() < until_) submit();
                                          --under_way_;
                                          under_way_.notify_one();
                                        }});
  }

  Database& database_;
  const SteadyClock::time_point until_ = SteadyClock::now() + duration;
  std::atomic<std::int64_t> committed_ = 0;
  std::atomic<int> under_way_ = 0;
};

template <class Opened>
void measure(Opened opened, int in_flight) {
  if (!opened) {
    std::fprintf(stderr, "%s\n", opened.error().text().c_str());
    std::exit(EXIT_FAILURE);
  }
  auto& database = **opened;
  (void)database.write_now([](SqlTransaction& transaction) -> Result<> {
    transaction.run_script(sql::tables_in(transaction.dialect(), tables));
    return {};
  });
  const auto start = SteadyClock::now();
  const std::int64_t committed = Load{database, in_flight}.run();
  const std::chrono::duration<double> seconds = SteadyClock::now() - start;
  const LaneStatistics& lane = database.lane_statistics();
  std::printf("%.0f transactions/s, %.0f batches/s, %.0f %% of the time in COMMIT\n",
              static_cast<double>(committed) / seconds.count(),
              static_cast<double>(lane.batches) / seconds.count(),
              static_cast<double>(lane.commit_ns) / 1e7 / seconds.count());
  database.stop();
}

// One connection, pipeline mode, four prepared inserts an order, a Sync a batch.
void measure_libpq(const char* url, int batch) {
  PGconn* const connection = PQconnectdb(url);
  PQclear(PQexec(connection,
                 "create table bare (id bytea, payload text, number bigint generated always as "
                 "identity primary key)"));
  PQclear(PQprepare(connection, "i", "insert into bare (id, payload) values ($1, $2)", 2, nullptr));
  PQclear(PQprepare(connection, "b", "begin", 0, nullptr));
  PQclear(PQprepare(connection, "c", "commit", 0, nullptr));
  PQenterPipelineMode(connection);
  const auto send = [&](const char* name) {
    PQsendQueryPrepared(connection, name, 0, nullptr, nullptr, nullptr, 1);
  };
  std::int64_t committed = 0;
  const auto start = SteadyClock::now();
  while (SteadyClock::now() - start < duration) {
    send("b");
    for (int i = 0; i < batch * 4; ++i) {
      const IdBytes id = make_id_bytes();
      const char* const values[] = {reinterpret_cast<const char*>(id.data()), payload.data()};
      const int lengths[] = {static_cast<int>(id.size()), static_cast<int>(payload.size())};
      const int formats[] = {1, 1};
      PQsendQueryPrepared(connection, "i", 2, values, lengths, formats, 1);
    }
    send("c");
    PQpipelineSync(connection);
    for (bool is_synced = false; !is_synced;) {
      PGresult* const result = PQgetResult(connection);
      is_synced = result && PQresultStatus(result) == PGRES_PIPELINE_SYNC;
      PQclear(result);
    }
    committed += batch;
  }
  const std::chrono::duration<double> seconds = SteadyClock::now() - start;
  std::printf("%.0f transactions/s\n", static_cast<double>(committed) / seconds.count());
  PQfinish(connection);
}

int main(std::string_view kind, const char* where, int count) {
  boost::asio::io_context context;
  auto work = boost::asio::make_work_guard(context);
  std::thread thread{[&] { context.run(); }};
  if (kind == "sqlite") {
    SqliteOptions options;
    options.directory = where;
    options.executor = context.get_executor();
    measure(SqliteDatabase::open(std::move(options)), count);
  } else if (kind == "postgres") {
    PostgresOptions options;
    options.url = where;
    options.executor = context.get_executor();
    options.service = "benchmark";
    measure(PostgresDatabase::open(std::move(options)), count);
  } else {
    measure_libpq(where, count);
  }
  work.reset();
  thread.join();
  return EXIT_SUCCESS;
}

}  // namespace
}  // namespace freehold

int main(int argc, char** argv) {
  if (argc < 3) return EXIT_FAILURE;
  return freehold::main(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 1024);
}
