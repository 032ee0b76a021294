// SPDX-License-Identifier: Apache-2.0
//
// What a crash leaves of the books, and what they say to a bug. What they do for their users is
// said by the conformance suite (freehold/testing/database_conformance_*.cc).
#include "freehold/database/sql_books.h"

#include <gmock/gmock.h>

#include <csignal>
#include <cstdlib>
#include <string>

#include "freehold/base/crash_point.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

class SqlBooksTest : public SqliteTest {
 protected:
  Result<> append_one() {
    return database_->write_now([](SqlTransaction& transaction) -> Result<> {
      transaction.append({.type = "test.state.v1",
                          .subject = "a",
                          .partition_key = "a",
                          .recipient = {},
                          .state_version = 1,
                          .json = {}});
      return {};
    });
  }

  template <class Use>
  void in_books(const Use& use) {
    const Result<> done =
        database_->read_now([&](SqlTransaction& transaction) { use(transaction.books()); });
    ASSERT_TRUE(done) << done.error().text();
  }
};

using SqlBooksDeathTest = SqlBooksTest;

std::string_view deadly_point;

void die_at_deadly_point(std::string_view name) {
  if (name == deadly_point) std::raise(SIGKILL);
}

TEST_F(SqlBooksDeathTest, a_process_killed_while_it_seals_leaves_neither_events_nor_positions) {
  for (const char* point : {"log.after_append", "log.after_heads"}) {
    database_.reset();
    EXPECT_EXIT(
        {
          deadly_point = point;
          install_crash_point_hook(die_at_deadly_point);
          open(options());
          (void)append_one();
          std::_Exit(0);
        },
        testing::KilledBySignal(SIGKILL), "")
        << point;
    open(options());
    in_books([](Books& books) {
      EXPECT_EQ(books.head(0).last, EventId{});
      EXPECT_TRUE(books.events_after(0, 0, 10, 1000).empty());
      EXPECT_TRUE(books.states_after("test.state", "", 10).empty());
    });
  }
  ASSERT_TRUE(append_one());
  in_books([](Books& books) { EXPECT_EQ(books.head(0).last.position, 1U); });
}

TEST_F(SqlBooksDeathTest, to_save_a_saga_that_is_not_there_is_a_bug) {
  EXPECT_DEATH((void)database_->write_now([](SqlTransaction& transaction) -> Result<> {
    transaction.books().save_saga({.id = "nobody", .type = "", .input = ""});
    return {};
  }),
               "a saga that is not there, or final already, was saved");
}

TEST_F(SqlBooksTest, to_create_them_again_changes_nothing) {
  std::string log_id;
  in_books([&](Books& books) { log_id = books.log().log_id; });
  ASSERT_TRUE(append_one());
  ASSERT_TRUE(database_->write_now([](SqlTransaction& transaction) -> Result<> {
    create_books(transaction, 7);
    return {};
  }));
  open(options());
  in_books([&](Books& books) {
    EXPECT_EQ(books.log().log_id, log_id);
    EXPECT_EQ(books.log().partitions, 1U);
    EXPECT_EQ(books.head(0).last.position, 1U);
  });
}

}  // namespace
}  // namespace freehold
