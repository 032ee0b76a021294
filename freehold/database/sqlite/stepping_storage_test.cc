// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/stepping_storage.h"

#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <string>

#include "freehold/base/errors.h"
#include "freehold/database/fault.h"
#include "freehold/database/sqlite/faulty_storage.h"
#include "freehold/database/sqlite/sqlite_connection.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

constexpr int pages_of_a_step = 32;

class SteppingStorage : public ::testing::Test {
 protected:
  // Some 300 pages in the log of a connection with this storage.
  SteppingStorage()
      : connection_{{.file = directory_.path() / "database.sqlite",
                     .storage = stepping_storage(std::string{FaultyStorage::name})}} {
    connection_.run("create table t (n integer primary key, bytes blob)");
    connection_.run(
        "with recursive n(i) as (select 1 union all select i + 1 from n where i < 300) "
        "insert into t select i, randomblob(3000) from n");
  }

  TemporaryDirectory directory_;
  FaultyStorage storage_;
  SqliteConnection connection_;
};

TEST_F(SteppingStorage, syncs_the_file_after_every_few_pages) {
  int written = 0, unsynced = 0, unsynced_max = 0;
  storage_.on_write = [&](std::string_view file, std::int64_t) {
    if (!file.ends_with(".sqlite")) return SQLITE_OK;
    ++written;
    unsynced_max = std::max(unsynced_max, ++unsynced);
    return SQLITE_OK;
  };
  storage_.on_sync = [&](std::string_view file) {
    if (file.ends_with(".sqlite")) unsynced = 0;
    return SQLITE_OK;
  };
  EXPECT_TRUE(connection_.checkpoint(SQLITE_CHECKPOINT_PASSIVE));
  EXPECT_GE(written, 300);
  EXPECT_EQ(unsynced_max, pages_of_a_step);
  EXPECT_EQ(unsynced, 0);
}

TEST_F(SteppingStorage, a_sync_that_fails_fails_the_checkpoint) {
  storage_.on_sync = [](std::string_view file) {
    return file.ends_with(".sqlite") ? SQLITE_FULL : SQLITE_OK;
  };
  try {
    connection_.checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    ADD_FAILURE() << "it was told as done";
  } catch (const DatabaseFault& fault) {
    EXPECT_TRUE(fault.error().is(errors::database_unavailable)) << fault.what();
  }
  storage_.on_sync = nullptr;
  EXPECT_TRUE(connection_.checkpoint(SQLITE_CHECKPOINT_PASSIVE));
  EXPECT_EQ(connection_.word("pragma integrity_check"), "ok");
}

}  // namespace
}  // namespace freehold
