// SPDX-License-Identifier: Apache-2.0
//
// Two lanes on one database, whose batches come to the same rows in opposite orders.
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <vector>

#include "freehold/database/postgres/temporary_postgres.h"

namespace freehold {
namespace {

constexpr sql::Change<void(std::int64_t)> add_one{
    "update stock set units = units + 1 where id = $1"};
constexpr sql::Lock<std::int64_t> stock_rows{
    "select 1 from stock where id = any($1) order by id for update"};

class Lanes : public PostgresTest {
 protected:
  static constexpr int rows = 12;
  static constexpr int waves = 20;

  Lanes() {
    sql("create table stock (id bigint primary key, units bigint not null default 0); "
        "insert into stock select generate_series(1, 12)");
    // So that circles are found, and made again, often enough in a test.
    sql("do $$ begin execute 'alter database ' || current_database() || "
        "' set deadlock_timeout = ''20ms'''; end $$");
    one_ = open();
    two_ = open();
  }

  // Of each lane, batches whose bodies add to every row once: there upwards, here downwards.
  void add_in_opposite_orders(bool names_rows) {
    for (int wave = 0; wave < waves; ++wave) {
      std::vector<std::future<Result<>>> outcomes;
      for (int i = 1; i <= rows; ++i) {
        outcomes.push_back(add(*one_, i, names_rows));
        outcomes.push_back(add(*two_, rows + 1 - i, names_rows));
      }
      for (auto& outcome : outcomes) {
        const Result<> done = outcome_of(outcome);
        ASSERT_TRUE(done) << done.error().text();
      }
    }
    EXPECT_EQ(sql("select string_agg(distinct units::text, ' ') from stock"),
              std::to_string(2 * waves));
  }
  std::uint64_t races() const {
    return one_->lane_statistics().races + two_->lane_statistics().races;
  }

  std::unique_ptr<PostgresDatabase> one_;
  std::unique_ptr<PostgresDatabase> two_;

 private:
  std::future<Result<>> add(Database& database, std::int64_t row, bool names_rows) {
    auto done = std::make_shared<std::promise<Result<>>>();
    Job job{.body = [row](SqlTransaction& transaction) -> Result<> {
              EXPECT_EQ(transaction.count(add_one, row), 1);
              return {};
            },
            .done = [done](Result<> outcome) { done->set_value(std::move(outcome)); }};
    if (names_rows) job.names_locks = [row](RowLocks& locks) { locks.add(stock_rows, row); };
    database.submit(Urgency::request, std::move(job));
    return done->get_future();
  }
};

TEST_F(Lanes, that_lock_rows_in_opposite_orders_come_to_an_end_with_all_they_had_to_do) {
  add_in_opposite_orders(false);
  EXPECT_GT(races(), 0U) << "they never met: this shows nothing";
}

TEST_F(Lanes, that_name_the_rows_of_their_batches_never_wait_in_a_circle) {
  add_in_opposite_orders(true);
  EXPECT_EQ(races(), 0U);
}

TEST_F(Lanes, lock_rows_by_keys_of_every_kind) {
  sql("create table held (number bigint, name text, id bytea, mark text); "
      "insert into held values (7, 'a', '\\x01', ''), (8, 'b', '\\x02', ''), "
      "(9, 'c', '\\x0a0b0c0d0e0f00010203040506070809', '')");
  static constexpr sql::Lock<std::int64_t, std::string, IdBytes> held_rows{
      "select 1 from held where number = any($1) or name = any($2) or id = any($3) "
      "order by number for update"};
  auto done = std::make_shared<std::promise<Result<>>>();
  one_->submit(Urgency::request,
               {.body = [](SqlTransaction&) -> Result<> { return {}; },
                .done = [done](Result<> outcome) { done->set_value(std::move(outcome)); },
                .names_locks =
                    [&](RowLocks& locks) {
                      locks.add(held_rows, std::int64_t{7});
                      locks.add(held_rows, std::string{"b"});
                      locks.add(held_rows,
                                IdBytes{10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
                    }});
  const Result<> outcome = done->get_future().get();
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_EQ(sql("select count(*) from held where xmax::text <> '0'"), "3");
}

}  // namespace
}  // namespace freehold
