// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/transaction.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <string>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;

struct NoteId : Id<NoteId> {};
enum class Mood { good, bad };
BOOST_DESCRIBE_ENUM(Mood, good, bad)

struct Entry {
  NoteId id;
  std::string title;
  Mood mood;
  std::optional<int> stars;
};
BOOST_DESCRIBE_STRUCT(Entry, (), (id, title, mood, stars))

constexpr sql::Change<void(NoteId, std::string, Mood, std::optional<int>)> insert_entry{
    "insert into entry (stars, id, title, mood) values ($4, $1, $2, $3)"};
constexpr sql::Query<Entry(NoteId)> entry_of{
    "select title, mood, stars, id from entry where id = $1"};
constexpr sql::Query<std::string()> titles{"select title from entry order by title"};
constexpr sql::Change<void(Mood, std::string)> rename_all{
    "update entry set title = $2 where mood = $1 and '$3' = '$3'"};

class TransactionTest : public SqliteTest {
 protected:
  void SetUp() override {
    open(options());
    script("create table entry (id blob primary key, title text, mood text, stars integer)");
  }

  void write(std::function<void(SqlTransaction&)> body) {
    const Result<> done = database_->write_now([&](SqlTransaction& transaction) -> Result<> {
      body(transaction);
      return {};
    });
    EXPECT_TRUE(done) << done.error().text();
  }
};

// One writer needs no lock on what it reads; several do.
constexpr sql::Dialects entry_to_change =
    sql::locking("select title from entry where id = $1 for update");
static_assert(entry_to_change.sqlite == "select title from entry where id = $1");
static_assert(entry_to_change.postgres.ends_with("where id = $1 for update"));

TEST_F(TransactionTest, parameters_go_by_number_and_columns_by_name) {
  const NoteId id = NoteId::make();
  write([&](SqlTransaction& transaction) {
    transaction.run(insert_entry, id, "a title", Mood::bad, std::nullopt);
    const std::optional<Entry> found = transaction.first(entry_of, id);
    ASSERT_TRUE(found);
    EXPECT_EQ(found->id, id);
    EXPECT_EQ(found->title, "a title");
    EXPECT_EQ(found->mood, Mood::bad);
    EXPECT_EQ(found->stars, std::nullopt);
    EXPECT_FALSE(transaction.first(entry_of, NoteId::make()));
  });
}

TEST_F(TransactionTest, a_page_ends_by_rows_or_by_bytes_and_says_whether_it_is_the_last) {
  write([&](SqlTransaction& transaction) {
    for (const char* title : {"a", "b", "c"})
      transaction.run(insert_entry, NoteId::make(), title + std::string(99, 'x'), Mood::good, 5);
    const auto rows_of = [&](PageLimits limits) { return transaction.page(titles, limits); };
    EXPECT_EQ(rows_of({.rows = 2}).rows.size(), 2U);
    EXPECT_FALSE(rows_of({.rows = 2}).is_last);
    EXPECT_EQ(rows_of({.rows = 3}).rows.size(), 3U);
    EXPECT_TRUE(rows_of({.rows = 3}).is_last);
    EXPECT_EQ(rows_of({.bytes = 200}).rows.size(), 2U);
    EXPECT_FALSE(rows_of({.bytes = 299}).is_last);
    EXPECT_TRUE(rows_of({.bytes = 300}).is_last);
    EXPECT_EQ(rows_of({.bytes = 1}).rows.size(), 1U) << "who goes on comes to the end";
  });
}

TEST_F(TransactionTest, changes_are_counted) {
  write([&](SqlTransaction& transaction) {
    for (const char* title : {"a", "b"})
      transaction.run(insert_entry, NoteId::make(), title, Mood::good, 5);
    EXPECT_EQ(transaction.count(rename_all, Mood::good, std::string{"c"}), 2);
    EXPECT_EQ(transaction.count(rename_all, Mood::bad, "d"), 0);
    EXPECT_THAT(transaction.all(titles), ElementsAre("c", "c"));
  });
}

TEST_F(TransactionTest, a_statement_may_be_declared_where_it_is_used) {
  for (int round = 0; round < 2; ++round) {
    write([&](SqlTransaction& transaction) {
      const sql::Query<std::int64_t()> local = round == 0 ? sql::Query<std::int64_t()>{"select 1"}
                                                          : sql::Query<std::int64_t()>{"select 2"};
      EXPECT_EQ(transaction.first(local), round + 1);
    });
  }
}

TEST_F(TransactionTest, two_row_types_may_share_a_text) {
  write([&](SqlTransaction& transaction) {
    static constexpr sql::Query<std::int64_t()> number{"select 7 as value"};
    static constexpr sql::Query<std::string()> text{"select 7 as value"};
    EXPECT_EQ(transaction.first(number), 7);
    EXPECT_EQ(transaction.first(text), "7");
    EXPECT_EQ(transaction.first(number), 7);
  });
}

using TransactionDeathTest = TransactionTest;

TEST_F(TransactionDeathTest, a_member_without_a_column_is_a_bug) {
  static constexpr sql::Query<Entry()> lacking{"select id, title, mood from entry"};
  EXPECT_DEATH(write([](SqlTransaction& transaction) {
                 transaction.run(insert_entry, NoteId::make(), "a", Mood::good, 1);
                 (void)transaction.first(lacking);
               }),
               "no column for the member `stars` in: select id, title, mood from entry");
}

TEST_F(TransactionDeathTest, a_column_without_a_member_is_a_bug) {
  static constexpr sql::Query<Entry()> more{"select *, 1 as extra from entry"};
  EXPECT_DEATH(write([](SqlTransaction& transaction) {
                 transaction.run(insert_entry, NoteId::make(), "a", Mood::good, 1);
                 (void)transaction.all(more);
               }),
               "no member for the column `extra` in: select \\*, 1 as extra");
}

TEST_F(TransactionDeathTest, a_number_that_does_not_fit_its_parameter_is_a_bug) {
  static constexpr sql::Change<void(int)> remove{"delete from entry where stars = $1"};
  const std::int64_t large = std::int64_t{std::numeric_limits<int>::max()} + 1;
  EXPECT_DEATH(write([&](SqlTransaction& transaction) { transaction.run(remove, large); }),
               "a number does not fit its SQL parameter");
}

TEST_F(TransactionDeathTest, a_nil_id_is_a_bug) {
  EXPECT_DEATH(
      write([](SqlTransaction& transaction) { (void)transaction.first(entry_of, NoteId{}); }),
      "a bug");
}

}  // namespace
}  // namespace freehold
