// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_readers.h"

#include <gtest/gtest.h>

#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

constexpr sql::Query<std::int64_t()> count_rows{"select count(*) from kept"};

// A database that is written beside its readers, who are told of a commit or not.
class SqliteReadersTest : public testing::Test {
 protected:
  SqliteReadersTest() {
    writer_.command("pragma journal_mode = wal");
    writer_.command("create table kept (number integer)");
  }

  void write_one() { writer_.command("insert into kept values (1)"); }
  std::int64_t rows_seen() {
    std::int64_t seen = 0;
    std::move_only_function<void(SqlTransaction&)> body = [&](SqlTransaction& transaction) {
      seen = transaction.first(count_rows).value();
    };
    const Result<> done = readers_.read(body);
    EXPECT_TRUE(done) << done.error().text();
    return seen;
  }

  TemporaryDirectory directory_;
  const SqliteConnection::Options options_{.file =
                                               (directory_.path() / "database.sqlite").string()};
  SqliteConnection writer_{options_};
  SqliteReaders readers_{options_, 2};
};

TEST_F(SqliteReadersTest, keep_a_snapshot_until_a_commit_begins) {
  EXPECT_EQ(rows_seen(), 0);
  write_one();  // nobody says so
  EXPECT_EQ(rows_seen(), 0);
  readers_.commit_begins();
  EXPECT_EQ(rows_seen(), 1);
}

// One read may see the commit before its end is told; the next one must not see less.
TEST_F(SqliteReadersTest, never_see_time_go_back_while_a_commit_is_under_way) {
  readers_.commit_begins();
  EXPECT_EQ(rows_seen(), 0);
  write_one();
  EXPECT_EQ(rows_seen(), 1);
  readers_.commit_ended();
  EXPECT_EQ(rows_seen(), 1);
  write_one();
  readers_.drop_snapshots();
  EXPECT_EQ(rows_seen(), 2);
}

}  // namespace
}  // namespace freehold
