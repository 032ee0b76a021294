// SPDX-License-Identifier: Apache-2.0
//
// The order of a log into which several processes write at one time, each through several lanes,
// while every commit is held up for a moment after its positions were given.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include "freehold/database/internal/columns.h"
#include "freehold/database/postgres/scratch_cluster.h"
#include "freehold/testing/database_conformance.h"
#include "freehold/testing/log_order.h"
#include "freehold/testing/postgres_instance.h"

namespace freehold {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr int processes = 2, lanes = 4, commits_of_a_lane = 60;
constexpr std::uint32_t partitions = 2;
constexpr const char* url_variable = "FREEHOLD_TEST_LOG_URL";
constexpr const char* planted_variable = "FREEHOLD_TEST_LOG_FROM_SEQUENCE";

Result<> append(SqlTransaction& transaction, int lane, int commit) {
  for (int event = 0; event <= commit % 3; ++event)
    transaction.append(plain_event(std::to_string((lane * 7 + commit * 3 + event) % 11), commit));
  return {};
}

// The bug that the log is made against: a position from a sequence, which has no order with the
// commits.
constexpr sql::Query<std::int64_t()> draw_position{
    sql::Dialects{.sqlite = "select 0", .postgres = "select nextval('planted')"}};
constexpr sql::Query<std::string()> dawdle{sql::Dialects{
    .sqlite = "select ''", .postgres = "select pg_sleep(random() * 0.005)::text as slept"}};
constexpr sql::Change<void(std::int64_t, std::int64_t)> insert_event{
    "insert into freehold_event (place, stamp, appended, type, recipient, json) "
    "values ($1, $2, 0, 'test.happened.v1', '', '')"};
constexpr sql::Change<void(std::int64_t, std::int64_t)> raise_head{
    "update freehold_head set position = $1, stamp = $2 where partition = 0 and position < $1"};

Result<> append_from_a_sequence(SqlTransaction& transaction) {
  const std::int64_t position = transaction.first(draw_position).value();
  const std::int64_t stamp = internal::column_of_bits(internal::draw_stamp());
  transaction.first(dawdle);
  transaction.run(insert_event, position, stamp);
  transaction.run(raise_head, position, stamp);
  return {};
}

// What the other processes run; started by write_in_processes alone.
TEST(LogOrderInPostgres, DISABLED_lanes_of_one_process) {
  const char* const url = std::getenv(url_variable);  // NOLINT(concurrency-mt-unsafe)
  if (!url) GTEST_SKIP() << "it is run by the other tests";
  const bool planted = std::getenv(planted_variable);  // NOLINT(concurrency-mt-unsafe)
  std::vector<std::thread> writers;
  writers.reserve(lanes);
  for (int lane = 0; lane < lanes; ++lane)
    writers.emplace_back([=] {
      PostgresInstance instance{url, partitions};
      for (int commit = 0; commit < commits_of_a_lane; ++commit) {
        const Result<> done = (*instance).write_now([=](SqlTransaction& transaction) -> Result<> {
          return planted ? append_from_a_sequence(transaction) : append(transaction, lane, commit);
        });
        ASSERT_TRUE(done) << done.error().text();
      }
    });
  for (std::thread& writer : writers) writer.join();
}

pid_t spawn_writers(const std::string& url, bool planted) {
  std::array<std::string, 3> arguments{"/proc/self/exe", "--gtest_also_run_disabled_tests",
                                       "--gtest_filter=*DISABLED_lanes_of_one_process"};
  std::array<std::string, 2> variables{std::string{url_variable} + '=' + url,
                                       std::string{planted ? planted_variable : "NOTHING"} + "=1"};
  std::array<char*, 4> argv{arguments[0].data(), arguments[1].data(), arguments[2].data()};
  std::array<char*, 3> envp{variables[0].data(), variables[1].data()};
  pid_t pid = 0;
  FREEHOLD_ASSERT(::posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), envp.data()) == 0,
                  "no process");
  return pid;
}

// Reads on, from where it stands, until the writers have ended and every head is reached.
std::vector<LogReading> read_until(Database& database, const std::atomic<bool>& writers_ended) {
  std::vector<LogReading> readings;
  std::vector<std::uint64_t> at(partitions);
  for (bool last = false; !last;) {
    last = writers_ended;
    for (std::uint32_t partition = 0; partition < partitions; ++partition) {
      LogReading reading{.reader = "reader", .partition = partition, .after = at[partition]};
      EXPECT_TRUE(database.read_now([&](SqlTransaction& transaction) {
        reading.events.clear();
        for (const StoredEvent& event :
             transaction.books().events_after(partition, reading.after, 10'000, 1 << 30))
          reading.events.push_back(event.id);
        reading.head = transaction.books().head(partition).last;
      }));
      if (!reading.events.empty()) at[partition] = reading.events.back().position;
      readings.push_back(std::move(reading));
    }
  }
  return readings;
}

std::vector<LogReading> readings_beside_writers(bool planted) {
  ScratchCluster& cluster = ScratchCluster::shared();
  const std::string name = cluster.create_database();
  std::vector<LogReading> readings;
  {
    PostgresInstance reader{cluster.url(name), partitions};
    cluster.run(name,
                "create sequence planted; "
                "create function dawdle() returns trigger language plpgsql as "
                "'begin perform pg_sleep(random() * 0.004); return null; end'; "
                "create constraint trigger dawdle after insert on freehold_event "
                "deferrable initially deferred for each row execute function dawdle()");
    std::atomic<bool> writers_ended = false;
    auto reading =
        std::async(std::launch::async, [&] { return read_until(*reader, writers_ended); });
    std::vector<pid_t> writers;
    writers.reserve(processes);
    for (int i = 0; i < processes; ++i)
      writers.push_back(spawn_writers(cluster.url(name), planted));
    for (const pid_t writer : writers) {
      int status = 0;
      EXPECT_EQ(::waitpid(writer, &status, 0), writer);
      EXPECT_EQ(status, 0) << "a writer failed";
    }
    writers_ended = true;
    readings = reading.get();
  }
  cluster.drop_database(name);
  return readings;
}

TEST(LogOrderInPostgres, holds_for_eight_lanes_in_two_processes) {
  const std::vector<LogReading> readings = readings_beside_writers(false);
  EXPECT_THAT(breaches_of_order(readings), IsEmpty());
  std::uint64_t events = 0;
  for (const LogReading& reading : readings) events += reading.events.size();
  EXPECT_EQ(events, static_cast<unsigned>(processes * lanes * commits_of_a_lane * 2));
}

TEST(LogOrderInPostgres, is_seen_broken_when_positions_come_from_a_sequence) {
  EXPECT_THAT(breaches_of_order(readings_beside_writers(true)),
              Contains(HasSubstr("does not follow")));
}

}  // namespace
}  // namespace freehold
