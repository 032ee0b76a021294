// SPDX-License-Identifier: Apache-2.0
//
// Transactions: whole or not at all, whatever races with them or lies in their batch.
#include <gmock/gmock.h>

#include <atomic>
#include <future>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <tuple>

#include "freehold/base/errors.h"
#include "freehold/database/fault.h"
#include "freehold/testing/database_conformance.h"
#include "freehold/testing/log_order.h"

namespace freehold {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr sql::Query<int(int)> value_of{"select value from cell where id = $1"};
constexpr sql::Query<int()> cells{"select count(*) from cell"};
constexpr sql::Query<int()> ids{"select id from cell order by id"};
constexpr sql::Change<void(int, int)> insert_cell{"insert into cell (id, value) values ($1, $2)"};
constexpr sql::Change<void(int, int)> insert_if_absent{
    "insert into cell (id, value) values ($1, $2) on conflict do nothing"};
constexpr sql::Change<void(int, int, int)> set_if_still{
    "update cell set value = $3 where id = $1 and value = $2"};
constexpr sql::Change<void(int)> go_off{"update cell set value = 0 where id = $1"};
constexpr sql::Change<void(int)> go_on{"update cell set value = 1 where id = $1"};
constexpr sql::Query<int()> all_values{"select value from cell order by id"};
// A decision over several rows locks them all, in the order of their keys.
constexpr sql::Query<int()> locked_values{
    sql::Dialects{.sqlite = "select value from cell order by id",
                  .postgres = "select value from cell order by id for update"}};

int sum(const std::vector<int>& values) {
  return std::accumulate(values.begin(), values.end(), 0);
}

class Threads {
 public:
  template <class Work>
  void start(int count, Work work) {
    for (int i = 0; i < count; ++i) threads_.emplace_back([work, i] { work(i); });
  }
  ~Threads() {
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::vector<std::thread> threads_;
};

constexpr std::string_view cell_table =
    "create table cell (id integer primary key, value integer not null);";

TEST_P(DatabaseConformance, a_body_sees_its_own_writes_and_others_see_them_when_it_is_done) {
  create(cell_table);
  EXPECT_EQ(written([](SqlTransaction& transaction) {
              transaction.run(insert_cell, 1, 7);
              return transaction.first(value_of, 1).value();
            }),
            7);
  EXPECT_EQ(read([](SqlTransaction& transaction) { return transaction.first(value_of, 1); }), 7);
}

TEST_P(DatabaseConformance, no_update_is_lost_between_bodies_that_read_and_write_back) {
  create(cell_table);
  ASSERT_TRUE(write([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_cell, 1, 0);
    return {};
  }));
  constexpr int writers = 4, increments = 25;
  {
    Threads threads;
    threads.start(writers, [this](int writer) {
      for (int done = 0; done < increments;) {
        const Result<> outcome = write_as(writer, [](SqlTransaction& transaction) -> Result<> {
          const int value = transaction.first(value_of, 1).value();
          transaction.require(errors::precondition_failed, set_if_still, 1, value, value + 1);
          return {};
        });
        if (outcome)
          ++done;
        else
          ASSERT_TRUE(outcome.error().is(errors::precondition_failed)) << outcome.error().text();
      }
    });
  }
  EXPECT_EQ(read([](SqlTransaction& transaction) { return transaction.first(value_of, 1); }),
            writers * increments);
}

TEST_P(DatabaseConformance, a_rule_over_two_rows_is_not_broken_by_two_bodies_that_each_change_one) {
  create(cell_table);
  ASSERT_TRUE(write([](SqlTransaction& transaction) -> Result<> {
    for (int doctor : {0, 1}) transaction.run(insert_cell, doctor, 1);
    return {};
  }));
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> refused = 0;
    {
      Threads threads;
      threads.start(2, [&](int doctor) {
        const Result<> outcome =
            write_as(doctor, [doctor](SqlTransaction& transaction) -> Result<> {
              if (sum(transaction.all(locked_values)) < 2) return errors::precondition_failed;
              transaction.run(go_off, doctor);
              return {};
            });
        if (!outcome) ++refused;
      });
    }
    EXPECT_EQ(refused, 1);
    ASSERT_EQ(sum(read([](SqlTransaction& transaction) { return transaction.all(all_values); })), 1)
        << "nobody, or everybody, is on call";
    ASSERT_TRUE(write([](SqlTransaction& transaction) -> Result<> {
      for (int doctor : {0, 1}) transaction.run(go_on, doctor);
      return {};
    }));
  }
}

TEST_P(DatabaseConformance, of_bodies_that_insert_the_same_key_one_wins) {
  create(cell_table);
  for (int key = 0; key < 20; ++key) {
    std::atomic<int> won = 0;
    {
      Threads threads;
      threads.start(4, [&](int writer) {
        const Result<> outcome =
            write_as(writer, [key, writer](SqlTransaction& transaction) -> Result<> {
              transaction.require(errors::precondition_failed, insert_if_absent, key, writer);
              return {};
            });
        if (outcome) ++won;
      });
    }
    EXPECT_EQ(won, 1) << "key " << key;
  }
}

TEST_P(DatabaseConformance, a_refused_body_leaves_nothing_behind) {
  create(cell_table);
  const Result<> outcome = write([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_cell, 1, 1);
    transaction.append(plain_event("a"));
    transaction.books().put_document("name", "text");
    return errors::precondition_failed;
  });
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::precondition_failed));
  EXPECT_EQ(read([](SqlTransaction& transaction) { return transaction.first(cells); }), 0);
  EXPECT_EQ(read([](SqlTransaction& t) { return t.books().document("name"); }), std::nullopt);
  EXPECT_THAT(commits(), IsEmpty());
}

TEST_P(DatabaseConformance, a_body_that_throws_fails_alone_and_is_told_so) {
  create(cell_table);
  const Result<> outcome = write([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_cell, 1, 1);
    throw std::runtime_error("a fault");
  });
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::internal)) << outcome.error().text();
  EXPECT_EQ(read([](SqlTransaction& transaction) { return transaction.first(cells); }), 0);
}

// One batch with every kind of neighbour in it. Each outcome is its body's own, and what is kept,
// of rows and events, is that of the bodies that succeeded, in the order of submission.
TEST_P(DatabaseConformance, neighbours_in_a_batch_do_not_feel_refusals_and_faults) {
  create(cell_table);
  ASSERT_TRUE(write([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_cell, 1000, 0);
    return {};
  }));

  enum Kind { succeeds, is_refused_first, is_refused_late, throws_late, breaks_a_constraint };
  constexpr int kinds = 5, bodies_count = 40;
  std::vector<Body> bodies;
  bodies.reserve(bodies_count);
  for (int i = 0; i < bodies_count; ++i)
    bodies.emplace_back([i](SqlTransaction& transaction) -> Result<> {
      if (i % kinds == is_refused_first) return errors::precondition_failed;
      transaction.run(insert_cell, i, i);
      transaction.append(plain_event("s", i));
      if (i % kinds == is_refused_late) return errors::precondition_failed;
      if (i % kinds == throws_late) throw std::runtime_error("a fault");
      if (i % kinds == breaks_a_constraint) transaction.run(insert_cell, 1000, 0);
      return {};
    });

  const std::vector<Result<>> outcomes = write_together(bodies);
  std::vector<int> kept_ids;
  std::vector<std::string> kept_events;
  for (int i = 0; i < bodies_count; ++i) {
    const Result<>& outcome = outcomes[static_cast<std::size_t>(i)];
    EXPECT_EQ(outcome.has_value(), i % kinds == succeeds) << "body " << i;
    if (i % kinds == is_refused_first || i % kinds == is_refused_late) {
      ASSERT_FALSE(outcome);
      EXPECT_TRUE(outcome.error().is(errors::precondition_failed)) << outcome.error().text();
    }
    if (!outcome) continue;
    kept_ids.push_back(i);
    kept_events.push_back("\"n\":" + std::to_string(i));
  }
  kept_ids.push_back(1000);
  EXPECT_EQ(read([](SqlTransaction& transaction) { return transaction.all(ids); }), kept_ids);

  std::vector<std::string> events;
  std::uint64_t position = 0;
  for (const auto& commit : appended())
    for (const StoredEvent& event : commit) {
      EXPECT_EQ(event.id.position, ++position) << "an undone body had a position";
      events.push_back(event.json);
    }
  EXPECT_EQ(events, kept_events);
}

// A reference that is checked at the commit: everything of the batch has been written by then, its
// positions have been taken, and all of it is undone and run again.
TEST_P(DatabaseConformance, a_commit_that_fails_gives_no_position_away_and_hurts_no_neighbour) {
  create(cell_table);
  create(
      "create table child (id integer primary key, parent integer not null "
      "references cell (id) deferrable initially deferred);");
  static constexpr sql::Change<void(int)> insert_orphan{
      "insert into child (id, parent) values ($1, -1)"};
  std::vector<Body> bodies;
  bodies.reserve(5);
  for (int i = 0; i < 5; ++i)
    bodies.emplace_back([i](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_cell, i, i);
      transaction.append(plain_event("s", i));
      if (i == 2) transaction.run(insert_orphan, i);
      return {};
    });
  const std::vector<Result<>> outcomes = write_together(bodies);
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    EXPECT_EQ(outcomes[i].has_value(), i != 2) << "body " << i;
  EXPECT_THAT(read([](SqlTransaction& transaction) { return transaction.all(ids); }),
              ElementsAre(0, 1, 3, 4));
  EXPECT_THAT(breaches_of_commits(commits()), IsEmpty());
  ASSERT_EQ(append({plain_event("s", 5)}).at(0).id.position, 5U);
}

TEST_P(DatabaseConformance, a_refused_attempt_undoes_itself_and_the_transaction_goes_on) {
  create(cell_table);
  auto ran = std::make_shared<std::atomic<int>>(0);
  const Result<> outcome = write([ran](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_cell, 1, 1);
    const Result<> inner = transaction.attempt([&]() -> Result<> {
      transaction.run(insert_cell, 2, 2);
      transaction.append(plain_event("a", 2));
      transaction.on_commit([ran] { *ran += 100; });
      return errors::precondition_failed;
    });
    EXPECT_FALSE(inner);
    transaction.run(insert_cell, 3, 3);
    transaction.append(plain_event("a", 3));
    transaction.on_commit([ran] { *ran += 1; });
    return {};
  });
  ASSERT_TRUE(outcome) << outcome.error().text();
  EXPECT_THAT(read([](SqlTransaction& transaction) { return transaction.all(ids); }),
              ElementsAre(1, 3));
  ASSERT_EQ(appended().size(), 1U);
  EXPECT_EQ(appended()[0].size(), 1U);
  EXPECT_EQ(appended()[0][0].json, "\"n\":3");
}

// What a step breaks is undone with it, and whoever runs steps for others goes on: whether the step
// waits for the statement that breaks a constraint or not, and whether it has neighbours or not.
TEST_P(DatabaseConformance,
       an_attempt_whose_statement_fails_is_undone_and_the_transaction_goes_on) {
  create(cell_table);
  const auto body_of = [](int id, bool waits) -> Body {
    return [id, waits](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_cell, id, 1);
      const Result<> inner = transaction.attempt([&]() -> Result<> {
        try {
          return transaction.attempt([&]() -> Result<> {
            transaction.append(plain_event("a", -1));
            if (waits) {
              transaction.count(insert_cell, id, 0);
            } else {
              transaction.run(insert_cell, id + 1, 0);
              transaction.run(insert_cell, id, 0);
            }
            return {};
          });
        } catch (const DatabaseFault& fault) {
          return fault.error();
        }
      });
      transaction.run(insert_cell, id + 2, inner ? 0 : 3);
      transaction.append(plain_event("a", id));
      return {};
    };
  };
  for (const bool waits : {true, false}) {
    const Result<> alone = write(body_of(waits ? 10 : 20, waits));
    EXPECT_TRUE(alone) << alone.error().text();
  }
  for (const Result<>& outcome : write_together({body_of(30, true), body_of(40, false)}))
    EXPECT_TRUE(outcome) << outcome.error().text();
  EXPECT_THAT(read([](SqlTransaction& transaction) { return transaction.all(ids); }),
              ElementsAre(10, 12, 20, 22, 30, 32, 40, 42));
  EXPECT_THAT(read([](SqlTransaction& transaction) { return transaction.all(all_values); }),
              ElementsAre(1, 3, 1, 3, 1, 3, 1, 3));
  std::vector<std::string> events;
  for (const auto& commit : appended())
    for (const StoredEvent& event : commit) events.push_back(event.json);
  EXPECT_THAT(events, ElementsAre("\"n\":10", "\"n\":20", "\"n\":30", "\"n\":40"));
}

TEST_P(DatabaseConformance, an_attempt_that_succeeds_is_kept_with_the_transaction) {
  create(cell_table);
  ASSERT_TRUE(write([](SqlTransaction& transaction) -> Result<> {
    const Result<int> inner = transaction.attempt([&]() -> Result<int> {
      transaction.run(insert_cell, 2, 2);
      return 5;
    });
    EXPECT_EQ(inner.value(), 5);
    return {};
  }));
  EXPECT_EQ(read([](SqlTransaction& transaction) { return transaction.first(cells); }), 1);
}

TEST_P(DatabaseConformance, what_follows_a_commit_finds_it_durable_and_what_was_undone_is_told) {
  create(cell_table);
  std::promise<int> seen;
  ASSERT_TRUE(write([&](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_cell, 1, 1);
    transaction.on_commit(
        [&] { seen.set_value(read([](SqlTransaction& t) { return t.first(cells).value(); })); });
    return {};
  }));
  auto future = seen.get_future();
  ASSERT_EQ(future.wait_for(std::chrono::seconds{30}), std::future_status::ready);
  EXPECT_EQ(future.get(), 1);

  auto committed = std::make_shared<std::atomic<int>>(0);
  auto undone = std::make_shared<std::atomic<int>>(0);
  EXPECT_FALSE(write([committed, undone](SqlTransaction& transaction) -> Result<> {
    transaction.on_commit([committed] { ++*committed; });
    transaction.on_rollback([undone] { ++*undone; });
    transaction.run(insert_cell, 2, 2);
    return errors::precondition_failed;
  }));
  ASSERT_TRUE(write([](SqlTransaction&) { return Result<>{}; }));
  EXPECT_EQ(*committed, 0);
  EXPECT_GE(*undone, 1);
}

TEST_P(DatabaseConformance, a_page_ends_with_its_rows_or_its_bytes_and_says_if_more_follow) {
  create(cell_table);
  ASSERT_TRUE(write([](SqlTransaction& transaction) -> Result<> {
    for (int id = 1; id <= 5; ++id) transaction.run(insert_cell, id, id);
    return {};
  }));
  static constexpr sql::Query<int(int)> ids_after{"select id from cell where id > $1 order by id"};
  const auto [some, rest, all] = read([](SqlTransaction& transaction) {
    return std::tuple{transaction.page(ids_after, {.rows = 2}, 1),
                      transaction.page(ids_after, {.rows = 2}, 3), transaction.all(ids_after, 1)};
  });
  EXPECT_THAT(some.rows, ElementsAre(2, 3));
  EXPECT_FALSE(some.is_last);
  EXPECT_THAT(rest.rows, ElementsAre(4, 5));
  EXPECT_TRUE(rest.is_last);
  EXPECT_THAT(all, ElementsAre(2, 3, 4, 5));
}

TEST_P(DatabaseConformance, a_read_stays_on_its_snapshot_while_others_commit) {
  create(cell_table);
  const auto [before, after] = read([this](SqlTransaction& snapshot) {
    const int first = snapshot.first(cells).value();
    const std::uint64_t head = snapshot.books().head(0).last.position;
    EXPECT_TRUE(write([](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_cell, 1, 1);
      for (int i = 0; i < 20; ++i) transaction.append(plain_event(std::to_string(i)));
      return {};
    }));
    EXPECT_EQ(snapshot.books().head(0).last.position, head);
    EXPECT_THAT(snapshot.books().events_after(0, head, 100, 1 << 20), IsEmpty());
    return std::pair{first, snapshot.first(cells).value()};
  });
  EXPECT_EQ(before, 0);
  EXPECT_EQ(after, 0);
  EXPECT_EQ(read([](SqlTransaction& transaction) { return transaction.first(cells); }), 1);
}

TEST_P(DatabaseConformance, what_was_committed_is_there_after_it_was_closed_and_opened) {
  create(cell_table);
  const LogIdentity log = in_books([](Books& books) { return books.log(); });
  ASSERT_TRUE(write([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_cell, 1, 7);
    transaction.append(state_event("a", 1));
    return {};
  }));
  const std::uint32_t partition = appended().at(0).at(0).id.partition;
  const EventId before = appended()[0][0].id;
  reopen();

  EXPECT_EQ(read([](SqlTransaction& transaction) { return transaction.first(value_of, 1); }), 7);
  EXPECT_EQ(in_books([](Books& books) { return books.log().log_id; }), log.log_id);
  EXPECT_EQ(in_books([](Books& books) { return books.log().partitions; }), log_partitions);
  EXPECT_EQ(in_books([&](Books& books) { return books.head(partition).last; }), before);
  const auto next = append({state_event("a", 2)});
  EXPECT_EQ(next.at(0).id.position, before.position + 1);
}

TEST_P(DatabaseConformance, two_databases_have_two_logs) {
  const auto other = GetParam().make(log_partitions);
  std::string other_id;
  ASSERT_TRUE(other->database().read_now(
      [&](SqlTransaction& transaction) { other_id = transaction.books().log().log_id; }));
  EXPECT_NE(in_books([](Books& books) { return books.log().log_id; }), other_id);
}

}  // namespace
}  // namespace freehold
