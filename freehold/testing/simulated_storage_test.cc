// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/simulated_storage.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <set>
#include <vector>

#include "freehold/database/sqlite/sqlite_connection.h"

namespace freehold {
namespace {

constexpr std::string_view machine = "machine";

SqliteConnection open() {
  return SqliteConnection{{.file = "machine/database.sqlite", .storage = SimulatedStorage::name}};
}

// SQLite without what the toolkit does: a commit that need not be synced is in the file at once.
class Unsynced {
 public:
  Unsynced() {
    sqlite3_open_v2("machine/database.sqlite", &handle_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                    SimulatedStorage::name);
    sqlite3_exec(handle_, "pragma journal_mode = wal", nullptr, nullptr, nullptr);
  }
  Unsynced(const Unsynced&) = delete;
  Unsynced& operator=(const Unsynced&) = delete;
  ~Unsynced() { sqlite3_close(handle_); }

  [[nodiscard]] bool run(const char* text) const {
    return sqlite3_exec(handle_, text, nullptr, nullptr, nullptr) == SQLITE_OK;
  }

 private:
  sqlite3* handle_ = nullptr;
};

class Storage : public testing::Test {
 protected:
  // A database with one row.
  Storage() {
    SqliteConnection connection = open();
    connection.run("create table t (n integer); insert into t values (1)");
  }

  std::int64_t rows() { return open().number("select count(*) from t"); }
  void lose_power(std::uint64_t seed) {
    SeededRandom random{seed};
    storage_.power_cut(machine, random);
    storage_.switch_on(machine);
  }

  SimulatedStorage storage_;
};

TEST_F(Storage, what_was_committed_survives_every_power_cut) {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    {
      SqliteConnection connection = open();
      connection.run("insert into t values (2)");
      storage_.cut_off(machine);  // so that closing it is no orderly stop
    }
    lose_power(seed);
    ASSERT_EQ(rows(), 1 + static_cast<std::int64_t>(seed)) << "seed " << seed;
    ASSERT_EQ(open().word("pragma integrity_check"), "ok");
  }
}

TEST_F(Storage, what_was_written_and_not_synced_is_lost_kept_or_torn) {
  std::set<std::int64_t> found;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    storage_.erase(machine);
    {
      const Unsynced connection;
      EXPECT_TRUE(connection.run("create table t (n integer); insert into t values (1)"));
      EXPECT_TRUE(connection.run("pragma synchronous = off"));
      for (int i = 0; i < 5; ++i) EXPECT_TRUE(connection.run("insert into t values (2)"));
      storage_.cut_off(machine);
    }
    lose_power(seed);
    found.insert(rows());
  }
  EXPECT_TRUE(found.contains(1)) << "never was all lost";
  EXPECT_TRUE(found.contains(6)) << "never was all kept";
  EXPECT_GT(found.size(), 2U) << "never was a part kept";
}

TEST_F(Storage, a_kill_loses_nothing_that_was_written) {
  {
    const Unsynced connection;
    EXPECT_TRUE(connection.run("pragma synchronous = off"));
    EXPECT_TRUE(connection.run("insert into t values (2)"));
    storage_.cut_off(machine);
    EXPECT_FALSE(connection.run("insert into t values (3)"));
    EXPECT_FALSE(connection.run("select count(*) from t"));
    EXPECT_THROW(open(), DatabaseFault);
    storage_.switch_on(machine);
    EXPECT_FALSE(connection.run("insert into t values (3)"));  // still dead
  }
  EXPECT_EQ(rows(), 2);
}

TEST_F(Storage, the_lock_of_a_dead_process_is_free) {
  SqliteConnection dead = open();
  dead.run("begin immediate");
  dead.run("insert into t values (2)");
  SqliteConnection beside = open();
  EXPECT_THROW(beside.run("begin immediate"), DatabaseFault);
  storage_.cut_off(machine);
  storage_.switch_on(machine);
  open().run("begin immediate; insert into t values (3); commit");
  EXPECT_EQ(rows(), 2);
}

TEST_F(Storage, a_reader_keeps_its_snapshot_beside_a_writer) {
  SqliteConnection reader = open();
  reader.run("begin");
  EXPECT_EQ(reader.number("select count(*) from t"), 1);
  SqliteConnection writer = open();
  writer.run("insert into t values (2)");
  EXPECT_EQ(reader.number("select count(*) from t"), 1);
  EXPECT_FALSE(writer.checkpoint(SQLITE_CHECKPOINT_TRUNCATE));
  reader.run("commit");
  EXPECT_EQ(reader.number("select count(*) from t"), 2);
  EXPECT_TRUE(writer.checkpoint(SQLITE_CHECKPOINT_TRUNCATE));
}

TEST_F(Storage, a_full_disk_and_a_broken_one_are_errors_that_change_nothing) {
  SqliteConnection connection = open();
  for (const int error : {SQLITE_FULL, SQLITE_IOERR}) {
    storage_.on_operation = [&](const SimulatedStorage::Operation& operation) {
      return operation.file == "database.sqlite-wal" ? error : SQLITE_OK;
    };
    EXPECT_THROW(connection.run("insert into t values (2)"), DatabaseFault);
    storage_.on_operation = nullptr;
    EXPECT_EQ(rows(), 1);
  }
  connection.run("insert into t values (2)");
  EXPECT_EQ(rows(), 2);
}

// A machine that dies at any operation of a commit holds all of it or nothing.
TEST_F(Storage, a_commit_is_whole_or_absent_wherever_the_power_goes) {
  std::set<std::int64_t> left;
  for (int dies_at = 1; dies_at <= 12; ++dies_at) {
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      storage_.erase(machine);
      bool is_told = false;
      {
        SqliteConnection connection = open();
        connection.run("create table t (n integer)");
        int operations = 0;
        storage_.on_operation = [&](const SimulatedStorage::Operation&) {
          if (++operations == dies_at) storage_.cut_off(machine);
          return SQLITE_OK;
        };
        try {
          connection.run(
              "begin; with recursive up(n) as (select 1 union all select n + 1 from up where "
              "n < 900) insert into t select n from up; commit");
          is_told = true;
        } catch (const DatabaseFault&) {  // NOLINT(bugprone-empty-catch): it died
        }
        storage_.on_operation = nullptr;
        storage_.cut_off(machine);
      }
      lose_power(seed);
      const std::int64_t found = rows();
      EXPECT_TRUE(found == 900 || (found == 0 && !is_told)) << found << " at " << dies_at;
      left.insert(found);
    }
  }
  EXPECT_EQ(left.size(), 2U) << "one of the two never happened";
}

TEST_F(Storage, a_disk_that_lies_loses_what_was_committed) {
  storage_.lie_about_syncs(machine);
  bool is_lost = false;
  for (std::uint64_t seed = 1; seed <= 20 && !is_lost; ++seed) {
    const std::int64_t before = rows();
    {
      SqliteConnection connection = open();
      connection.run("insert into t values (2)");
      storage_.cut_off(machine);
    }
    lose_power(seed);
    is_lost = rows() <= before;
  }
  EXPECT_TRUE(is_lost);
}

}  // namespace
}  // namespace freehold
