// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/gathering_storage.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "freehold/database/sqlite/faulty_storage.h"
#include "freehold/database/sqlite/sqlite_connection.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

class GatheringStorage : public ::testing::Test {
 protected:
  SqliteConnection open(bool reads_only = false, int page_cache_kib = 8192) {
    return SqliteConnection{{.file = directory_.path() / "database.sqlite",
                             .storage = std::string{FaultyStorage::name},
                             .page_cache_kib = page_cache_kib,
                             .reads_only = reads_only}};
  }

  // From now on: what is done to the write-ahead log.
  void watch() {
    storage_.on_write = [this](std::string_view file, std::int64_t) {
      if (file.ends_with("-wal")) done_.emplace_back("write");
      return 0;
    };
    storage_.on_sync = [this](std::string_view file) {
      if (file.ends_with("-wal")) done_.emplace_back("sync");
      return 0;
    };
  }

  TemporaryDirectory directory_;
  FaultyStorage storage_;
  std::vector<std::string> done_;
};

constexpr const char* ten_rows =
    "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10) "
    "insert into t select i, zeroblob(3000) from n";

TEST_F(GatheringStorage, writes_a_commit_as_one_before_its_sync) {
  SqliteConnection writer = open();
  writer.run("create table t (n integer primary key, bytes blob)");
  watch();
  writer.run(ten_rows);
  EXPECT_EQ(done_, (std::vector<std::string>{"write", "sync"}));
}

TEST_F(GatheringStorage, shows_others_whole_commits_only) {
  SqliteConnection writer = open();
  SqliteConnection reader = open(true);
  writer.run("create table t (n integer primary key, bytes blob)");
  writer.run(ten_rows);
  EXPECT_EQ(reader.number("select count(*) from t"), 10);
  EXPECT_EQ(reader.word("pragma integrity_check"), "ok");
}

TEST_F(GatheringStorage, reads_back_what_is_not_in_the_file_yet) {
  SqliteConnection writer = open(false, 40);  // a cache of ten pages: others go to the log early
  writer.run("create table t (n integer primary key, bytes blob)");
  writer.run("begin");
  writer.run(
      "with recursive n(i) as (select 1 union all select i + 1 from n where i < 500) "
      "insert into t select i, randomblob(3000) from n");
  EXPECT_EQ(writer.number("select count(*) from t where length(bytes) = 3000"), 500);
  writer.run("commit");
  EXPECT_EQ(open(true).number("select count(*) from t"), 500);
}

TEST_F(GatheringStorage, forgets_what_could_not_be_written) {
  SqliteConnection writer = open();
  writer.run("create table t (n integer primary key, bytes blob)");
  storage_.on_write = [](std::string_view, std::int64_t) { return 13; };  // SQLITE_FULL
  EXPECT_THROW(writer.run(ten_rows), DatabaseFault);
  storage_.on_write = nullptr;
  EXPECT_EQ(writer.number("select count(*) from t"), 0);
  writer.run("insert into t values (77, null)");
  SqliteConnection reader = open(true);
  EXPECT_EQ(reader.number("select n from t"), 77);
  EXPECT_EQ(reader.word("pragma integrity_check"), "ok");
}

// A read that fails because of it must not pass for a statement that failed: the pages are gone.
TEST_F(GatheringStorage, undoes_the_whole_transaction_whose_pages_could_not_be_written) {
  int undone = 0;
  for (int rows = 20; rows <= 200; rows += 4) {
    storage_.on_write = nullptr;
    SqliteConnection writer = open(false, 40);  // a cache of ten pages: others go to the log early
    writer.run("create table if not exists t (n integer primary key, bytes blob); delete from t");
    writer.run("begin");
    writer.run("with recursive n(i) as (select 1 union all select i + 1 from n where i < " +
               std::to_string(rows) + ") insert into t select i, randomblob(1500) from n");
    storage_.on_write = [](std::string_view, std::int64_t) { return 13; };  // SQLITE_FULL
    try {
      writer.run("savepoint s; update t set bytes = randomblob(1500)");
    } catch (const DatabaseFault&) {
      storage_.on_write = nullptr;
      if (!writer.in_transaction()) {
        ++undone;
        continue;
      }
      writer.run("rollback to s");
    }
    storage_.on_write = nullptr;
    writer.run("commit");
    EXPECT_EQ(open(true).word("pragma integrity_check"), "ok") << rows << " rows";
  }
  EXPECT_GT(undone, 0);
}

}  // namespace
}  // namespace freehold
