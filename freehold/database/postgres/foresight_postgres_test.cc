// SPDX-License-Identifier: Apache-2.0
//
// What is asked and changed for many bodies at once comes out as if each had done it for itself.
#include <gtest/gtest.h>

#include <atomic>
#include <functional>
#include <future>
#include <optional>
#include <stdexcept>
#include <vector>

#include "freehold/database/postgres/temporary_postgres.h"

namespace freehold {
namespace {

struct Count {
  std::int64_t units = 0;
};
BOOST_DESCRIBE_STRUCT(Count, (), (units))

constexpr sql::Query<Count(std::int64_t)> units_of{
    sql::by_key(sql::locking("select units from stock where id = $1 for update"))};
constexpr sql::Query<Count(std::int64_t)> estimate_of{
    sql::estimate("select units from stock where id = $1")};
constexpr sql::Change<void(std::int64_t, std::int64_t)> add_row{
    sql::by_key("insert into stock (id, units) values ($1, $2) on conflict do nothing")};
constexpr sql::Change<void(std::int64_t, std::int64_t)> set_units{
    sql::by_key("update stock set units = $2 where id = $1")};
constexpr sql::Change<void(std::int64_t)> take_one{
    sql::by_key("update stock set units = units - 1 where id = $1 and units > 0")};
constexpr sql::Change<void(std::int64_t, std::optional<std::string>)> set_remark{
    sql::by_key("update stock set remark = $2 where id = $1")};
constexpr sql::Change<void(std::int64_t, std::int64_t)> take_units{
    sql::sum_by_key("update stock set units = units - $2 where id = $1 and units >= $2")};
constexpr sql::Change<void(std::int64_t, std::int64_t)> add_units{
    sql::sum_by_key("update stock set units = units + $2 where id = $1")};
constexpr sql::Change<void()> empty_all{"update stock set units = 0"};
constexpr sql::Change<void(std::int64_t)> hold{
    sql::lock_by_key("select pg_advisory_xact_lock_shared($1)")};

class Foresight : public PostgresTest {
 protected:
  using Body = std::function<Result<>(SqlTransaction&)>;

  Foresight() {
    sql("create table stock (id bigint primary key, units bigint not null default 0, remark text)");
    database_ = open();
  }

  // Runs them in one batch: the lane is kept busy until all of them are queued.
  std::vector<Result<>> together(const std::vector<Body>& bodies) {
    std::promise<void> go;
    std::shared_future<void> gone = go.get_future().share();
    std::vector<std::future<Result<>>> outcomes;
    outcomes.reserve(bodies.size());
    auto first = submit(*database_, [gone](SqlTransaction&) -> Result<> {
      gone.wait();
      return {};
    });
    for (const Body& body : bodies) outcomes.push_back(submit(*database_, body));
    const auto batches = database_->lane_statistics().batches.load();
    go.set_value();
    EXPECT_TRUE(outcome_of(first));
    std::vector<Result<>> done;
    done.reserve(outcomes.size());
    for (auto& outcome : outcomes) done.push_back(outcome_of(outcome));
    EXPECT_LE(database_->lane_statistics().batches - batches, 2U) << "they were no batch";
    return done;
  }

  std::unique_ptr<PostgresDatabase> database_;
};

TEST_F(Foresight, a_body_sees_what_those_before_it_in_the_batch_have_written) {
  sql("insert into stock (id) values (1), (2), (3)");
  std::vector<Body> bodies;
  bodies.reserve(60);
  for (int i = 0; i < 60; ++i)
    bodies.emplace_back([id = 1 + i % 3](SqlTransaction& transaction) -> Result<> {
      const auto now = transaction.first(units_of, id);
      if (!now) return errors::not_found;
      transaction.run(set_units, id, now->units + 1);
      return {};
    });
  for (const Result<>& done : together(bodies)) EXPECT_TRUE(done) << done.error().text();
  EXPECT_EQ(sql("select string_agg(units::text, ' ') from stock"), "20 20 20");
}

TEST_F(Foresight, a_change_that_is_by_no_key_ends_what_was_foreseen) {
  sql("insert into stock (id, units) values (1, 5), (2, 5)");
  std::atomic<std::int64_t> seen = -1;
  const auto done = together({[](SqlTransaction& transaction) -> Result<> {
                                transaction.run(empty_all);
                                return {};
                              },
                              [&](SqlTransaction& transaction) -> Result<> {
                                if (const auto now = transaction.first(units_of, 2))
                                  seen = now->units;
                                return {};
                              }});
  EXPECT_TRUE(done[1]);
  EXPECT_EQ(seen, 0);
}

TEST_F(Foresight, a_guarded_change_refuses_those_for_whom_nothing_is_left) {
  sql("insert into stock (id, units) values (1, 5)");
  std::vector<Body> bodies(12, [](SqlTransaction& transaction) -> Result<> {
    const auto guess = transaction.first(estimate_of, 1);
    if (!guess || guess->units == 0) return errors::not_found;
    transaction.require(errors::not_the_owner, take_one, 1);
    return {};
  });
  int taken = 0;
  for (const Result<>& done : together(bodies)) taken += done ? 1 : 0;
  EXPECT_EQ(taken, 5);
  EXPECT_EQ(sql("select units from stock"), "0");
}

TEST_F(Foresight, units_of_one_row_are_taken_at_once_and_one_by_one_where_they_are_too_few) {
  for (const std::int64_t there : {100, 11}) {
    sql("truncate stock; insert into stock (id, units) values (1, " + std::to_string(there) + ")");
    std::vector<Body> bodies;
    bodies.reserve(20);
    for (int i = 0; i < 20; ++i)
      bodies.emplace_back([i](SqlTransaction& transaction) -> Result<> {
        transaction.run(add_units, 1, 1);
        transaction.require(errors::not_the_owner, take_units, 1, i < 10 ? 2 : 3);
        if (i == 15) transaction.run(add_units, 1, 1);
        return {};
      });
    std::int64_t left = there;
    int i = 0;
    for (const Result<>& done : together(bodies)) {
      if (done) left += (i == 15 ? 2 : 1) - (i < 10 ? 2 : 3);
      EXPECT_TRUE(done || there == 11);
      ++i;
    }
    EXPECT_EQ(sql("select units from stock"), std::to_string(left));
    EXPECT_GE(left, 0);
  }
}

TEST_F(Foresight, changes_of_one_key_keep_their_order_with_nulls_between) {
  std::vector<Body> bodies;
  bodies.reserve(60);
  for (int id = 1; id <= 40; ++id)
    bodies.emplace_back([id](SqlTransaction& transaction) -> Result<> {
      EXPECT_EQ(transaction.first(units_of, id), std::nullopt);
      transaction.run(add_row, id, 1);
      transaction.run(set_remark, id, std::optional<std::string>{"first"});
      transaction.run(set_units, id, 2);
      if (id % 2 == 0) transaction.run(set_remark, id, std::optional<std::string>{});
      transaction.run(set_units, id, 3);
      return {};
    });
  for (const Result<>& done : together(bodies)) EXPECT_TRUE(done) << done.error().text();
  EXPECT_EQ(sql("select count(*) || ' ' || sum(units) || ' ' || count(remark) from stock"),
            "40 120 20");
}

TEST_F(Foresight, one_row_that_was_there_is_known_to_the_run_that_counts) {
  sql("insert into stock (id, units) values (2, 7)");
  std::vector<int> added(4);
  std::vector<Body> bodies;
  bodies.reserve(60);
  for (int id = 1; id <= 3; ++id)
    bodies.emplace_back([id, &added](SqlTransaction& transaction) -> Result<> {
      added[static_cast<std::size_t>(id)] = transaction.changes_one(add_row, id, 1) ? 1 : 0;
      return {};
    });
  for (const Result<>& done : together(bodies)) EXPECT_TRUE(done) << done.error().text();
  EXPECT_EQ(added, (std::vector{0, 1, 0, 1}));
}

TEST_F(Foresight, nothing_of_a_body_that_was_only_looked_at_stays) {
  sql("insert into stock (id, units) values (1, 1), (2, 1)");
  std::atomic<int> undone = 0, committed = 0;
  std::vector<Body> bodies;
  bodies.reserve(60);
  for (int id = 1; id <= 2; ++id)
    bodies.emplace_back([&, id](SqlTransaction& transaction) -> Result<> {
      transaction.on_rollback([&] { ++undone; });
      transaction.on_commit([&] { ++committed; });
      transaction.append({.type = "stock.seen.v1",
                          .subject = std::to_string(id),
                          .partition_key = std::to_string(id),
                          .recipient = {},
                          .json = "\"data\":1"});
      transaction.run(hold, id);
      const auto now = transaction.first(units_of, id);
      if (!now) return errors::not_found;  // what a look is told
      transaction.run(set_units, id, now->units * 10);
      return {};
    });
  for (const Result<>& done : together(bodies)) EXPECT_TRUE(done) << done.error().text();
  EXPECT_EQ(committed, 2);
  EXPECT_GE(undone, 2) << "they were not looked at: this shows nothing";
  EXPECT_EQ(sql("select sum(units) from stock"), "20");
  EXPECT_EQ(sql("select count(*) from freehold_event"), "2");
}

TEST_F(Foresight, a_read_that_takes_its_time_is_overtaken) {
  std::promise<void> begun;
  std::promise<void> may_end;
  std::promise<void> slow_ended;
  std::promise<void> quick_ended;
  database_->submit_read(
      {.body =
           [&](SqlTransaction&) {
             begun.set_value();
             may_end.get_future().wait();
           },
       .done = [&](const Result<>&, const std::exception_ptr&) { slow_ended.set_value(); }});
  begun.get_future().wait();
  database_->submit_read(
      {.body = [](SqlTransaction&) {},
       .done = [&](const Result<>&, const std::exception_ptr&) { quick_ended.set_value(); }});
  EXPECT_EQ(quick_ended.get_future().wait_for(patience), std::future_status::ready);
  may_end.set_value();
  ASSERT_EQ(slow_ended.get_future().wait_for(patience), std::future_status::ready);
}

TEST_F(Foresight, reads_that_wait_go_together_and_each_has_its_own_answer) {
  sql("insert into stock (id, units) select n, n * n from generate_series(1, 300) as n");
  std::vector<std::future<std::int64_t>> answers;
  for (int i = 1; i <= 300; ++i) {
    auto answer = std::make_shared<std::promise<std::int64_t>>();
    answers.push_back(answer->get_future());
    auto found = std::make_shared<std::int64_t>(-1);
    database_->submit_read(
        {.body =
             [i, found](SqlTransaction& transaction) {
               const auto row = transaction.first(estimate_of, i);
               if (i % 50 == 0) throw std::runtime_error("of this one alone");
               if (i % 70 == 0) (void)transaction.first(units_of, i);  // a lock: a read may not
               *found = row ? row->units : 0;
             },
         .done =
             [answer, found](const Result<>& done, const std::exception_ptr& thrown) {
               if (thrown) {
                 answer->set_exception(thrown);
               } else {
                 answer->set_value(done ? *found : -2);
               }
             }});
  }
  for (int i = 1; i <= 300; ++i) {
    auto& answer = answers[static_cast<std::size_t>(i - 1)];
    ASSERT_EQ(answer.wait_for(patience), std::future_status::ready);
    if (i % 50 == 0) {
      EXPECT_THROW(answer.get(), std::runtime_error) << i;
    } else {
      EXPECT_EQ(answer.get(), i % 70 == 0 ? -2 : i * i) << i;
    }
  }
}

}  // namespace
}  // namespace freehold
