// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class LaneTest : public SqliteTest {
 protected:
  const LaneStatistics& statistics() { return database_->lane_statistics(); }

  // A body that writes note `id` and tells `log` what becomes of it.
  auto writes(std::int64_t id) {
    return [this, id](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_note, id, "kept");
      transaction.append({.type = "note.written.v1",
                          .subject = std::to_string(id),
                          .partition_key = std::to_string(id),
                          .recipient = {},
                          .json = "\"data\":" + std::to_string(id)});
      transaction.on_commit([this, id] { committed_.push_back(id); });
      transaction.on_rollback([this, id] { undone_.push_back(id); });
      return {};
    };
  }
  auto refused_after_writing(std::int64_t id) {
    return [write = writes(id)](SqlTransaction& transaction) -> Result<> {
      FREEHOLD_TRY(write(transaction));
      return errors::forbidden;
    };
  }
  auto throwing_after_writing(std::int64_t id) {
    return [write = writes(id)](SqlTransaction& transaction) -> Result<> {
      FREEHOLD_TRY(write(transaction));
      throw std::runtime_error("a fault");
    };
  }

  std::vector<std::string> appended() {
    std::vector<std::string> subjects;
    const Result<> done = database_->read_now([&](SqlTransaction& transaction) {
      for (const StoredEvent& event : transaction.books().events_after(0, 0, 1000, 1 << 20))
        subjects.push_back(std::to_string(event.id.position) + " " + event.json);
    });
    EXPECT_TRUE(done);
    return subjects;
  }

  std::vector<std::int64_t> committed_;
  std::vector<std::int64_t> undone_;
};

TEST_F(LaneTest, what_has_come_is_committed_together) {
  const auto before = statistics().batches.load();
  for (int id = 1; id <= 3; ++id) submit(writes(id));
  run();
  EXPECT_EQ(statistics().batches - before, 1U);
  EXPECT_THAT(notes(), ElementsAre(1, 2, 3));
  EXPECT_THAT(committed_, ElementsAre(1, 2, 3));
  EXPECT_THAT(appended(), ElementsAre("1 \"data\":1", "2 \"data\":2", "3 \"data\":3"));
  for (std::size_t i = 0; i < 3; ++i) EXPECT_TRUE(outcome(i));
}

TEST_F(LaneTest, a_job_that_must_be_alone_has_a_batch_of_its_own) {
  const auto before = statistics().batches.load();
  submit(writes(1));
  submit(writes(2));
  database_->submit(Urgency::request, {.body = writes(3), .done = {}, .is_alone = true});
  submit(writes(4));
  submit(writes(5));
  run();
  EXPECT_EQ(statistics().batches - before, 3U);
  EXPECT_THAT(committed_, ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(LaneTest, without_other_writers_nobody_is_asked_for_locks) {
  database_->submit(Urgency::request, {.body = writes(1), .done = {}, .names_locks = [](RowLocks&) {
                                         ADD_FAILURE() << "SQLite has one writer";
                                       }});
  run();
  EXPECT_THAT(committed_, ElementsAre(1));
}

TEST_F(LaneTest, a_refusal_before_the_first_write_costs_no_rerun) {
  submit(writes(1));
  submit([this](SqlTransaction& transaction) -> Result<> {
    transaction.append(
        {.type = "t.v1", .subject = "s", .partition_key = "s", .recipient = {}, .json = {}});
    transaction.on_commit([this] { committed_.push_back(-1); });
    return errors::forbidden;
  });
  submit(writes(3));
  run();
  EXPECT_EQ(statistics().reruns, 0U);
  EXPECT_TRUE(outcome(1).error().is(errors::forbidden));
  EXPECT_THAT(notes(), ElementsAre(1, 3));
  EXPECT_THAT(committed_, ElementsAre(1, 3));
  EXPECT_THAT(appended(), ElementsAre("1 \"data\":1", "2 \"data\":3"));
}

TEST_F(LaneTest, a_body_refused_after_writing_leaves_its_neighbours_whole) {
  submit(writes(1));
  submit(refused_after_writing(2));
  submit(writes(3));
  run();
  EXPECT_EQ(statistics().reruns, 1U);
  EXPECT_TRUE(outcome(0));
  EXPECT_TRUE(outcome(1).error().is(errors::forbidden));
  EXPECT_TRUE(outcome(2));
  EXPECT_THAT(notes(), ElementsAre(1, 3));
  EXPECT_THAT(committed_, ElementsAre(1, 3));
  EXPECT_THAT(undone_, ElementsAre(2, 1, 2));  // the first run as a whole, then the one alone
  EXPECT_THAT(appended(), ElementsAre("1 \"data\":1", "2 \"data\":3"));
}

// Savepoints for every body that may be refused late would cost each of those that is not.
TEST_F(LaneTest, a_body_alone_is_run_without_savepoints_first) {
  submit(refused_after_writing(1));
  run();
  EXPECT_EQ(statistics().reruns, 1U);
  EXPECT_TRUE(outcome(0).error().is(errors::forbidden));
  EXPECT_THAT(notes(), IsEmpty());
  EXPECT_THAT(appended(), IsEmpty());
}

TEST_F(LaneTest, a_throwing_body_leaves_its_neighbours_whole) {
  submit(writes(1));
  submit(throwing_after_writing(2));
  submit(writes(3));
  run();
  EXPECT_TRUE(outcome(0));
  EXPECT_TRUE(outcome(1).error().is(errors::internal));
  EXPECT_THAT(std::string{outcome(1).error().detail()}, ::testing::HasSubstr("a fault"));
  EXPECT_TRUE(outcome(2));
  EXPECT_THAT(notes(), ElementsAre(1, 3));
  EXPECT_THAT(committed_, ElementsAre(1, 3));
}

TEST_F(LaneTest, a_refusal_from_within_counts_whatever_the_body_returns) {
  submit([](SqlTransaction& transaction) -> Result<> {
    static constexpr sql::Change<void(std::int64_t)> touch{
        "update note set text = 'touched' where id = $1"};
    transaction.run(insert_note, 1, "kept");
    transaction.require(errors::not_found, touch, 1);
    transaction.require(errors::not_found, touch, 2);
    return {};
  });
  run();
  EXPECT_TRUE(outcome(0).error().is(errors::not_found));
  EXPECT_THAT(notes(), IsEmpty());
}

TEST_F(LaneTest, an_event_beyond_64_kib_is_refused) {
  const auto append = [](std::size_t bytes) {
    return [bytes](SqlTransaction& transaction) -> Result<> {
      transaction.append({.type = "t.v1",
                          .subject = "s",
                          .partition_key = "s",
                          .recipient = {},
                          .json = std::string(bytes, ' ')});
      return {};
    };
  };
  submit(append(64 * 1024));
  submit(append(60 * 1024));
  run();
  EXPECT_TRUE(outcome(0).error().is(errors::event_too_large));
  EXPECT_TRUE(outcome(1));
}

// --- Attempts ------------------------------------------------------------------------------------

TEST_F(LaneTest, a_refused_attempt_is_undone_and_the_body_goes_on) {
  submit(writes(1));
  submit([this](SqlTransaction& transaction) -> Result<> {
    EXPECT_TRUE(writes(2)(transaction));
    const Result<> inner =
        transaction.attempt([&] { return refused_after_writing(3)(transaction); });
    EXPECT_TRUE(inner.error().is(errors::forbidden));
    return writes(4)(transaction);
  });
  run();
  EXPECT_EQ(statistics().reruns, 1U);
  EXPECT_TRUE(outcome(1));
  EXPECT_THAT(notes(), ElementsAre(1, 2, 4));
  EXPECT_THAT(committed_, ElementsAre(1, 2, 4));
  EXPECT_THAT(undone_, ElementsAre(3, 2, 1, 3));  // newest first
  EXPECT_THAT(appended(), ElementsAre("1 \"data\":1", "2 \"data\":2", "3 \"data\":4"));
}

TEST_F(LaneTest, an_attempt_refused_before_it_wrote_costs_no_rerun) {
  submit(writes(1));
  submit([this](SqlTransaction& transaction) -> Result<> {
    const Result<int> inner =
        transaction.attempt([]() -> Result<int> { return errors::precondition_failed; });
    EXPECT_TRUE(inner.error().is(errors::precondition_failed));
    const Result<int> other = transaction.attempt([] { return 7; });
    EXPECT_EQ(*other, 7);
    return writes(2)(transaction);
  });
  run();
  EXPECT_EQ(statistics().reruns, 0U);
  EXPECT_THAT(notes(), ElementsAre(1, 2));
}

TEST_F(LaneTest, attempts_nest) {
  submit([this](SqlTransaction& transaction) -> Result<> {
    const Result<> outer = transaction.attempt([&]() -> Result<> {
      EXPECT_TRUE(writes(1)(transaction));
      const Result<> inner =
          transaction.attempt([&] { return refused_after_writing(2)(transaction); });
      EXPECT_FALSE(inner);
      EXPECT_TRUE(transaction.attempt([&] { return writes(3)(transaction); }));
      return {};
    });
    EXPECT_TRUE(outer);
    const Result<> undone = transaction.attempt([&]() -> Result<> {
      EXPECT_TRUE(transaction.attempt([&] { return writes(4)(transaction); }));
      return errors::forbidden;
    });
    EXPECT_FALSE(undone);
    return {};
  });
  run();
  EXPECT_TRUE(outcome(0));
  EXPECT_THAT(notes(), ElementsAre(1, 3));
  EXPECT_THAT(committed_, ElementsAre(1, 3));
  EXPECT_THAT(undone_, ElementsAre(2, 1, 2, 4));  // the first run as a whole, then each alone
}

TEST_F(LaneTest, what_is_thrown_inside_of_attempts_undoes_the_body) {
  submit(writes(1));
  submit([this](SqlTransaction& transaction) -> Result<> {
    EXPECT_TRUE(writes(2)(transaction));
    return transaction.attempt([&] {
      return transaction.attempt([&] { return throwing_after_writing(3)(transaction); });
    });
  });
  submit(writes(4));
  run();
  EXPECT_TRUE(outcome(1).error().is(errors::internal));
  EXPECT_THAT(notes(), ElementsAre(1, 4));
  EXPECT_THAT(committed_, ElementsAre(1, 4));
}

// --- Queues --------------------------------------------------------------------------------------

TEST_F(LaneTest, jobs_of_one_urgency_run_in_the_order_of_submission) {
  std::vector<int> order;
  for (int i = 0; i < 600; ++i) {
    submit([&order, i](SqlTransaction&) -> Result<> {
      order.push_back(i);
      return {};
    });
  }
  run();
  ASSERT_EQ(order.size(), 600U);
  EXPECT_TRUE(std::ranges::is_sorted(order));
}

TEST_F(LaneTest, consumers_come_first_and_requests_keep_a_quarter) {
  const auto before = statistics().batches.load();
  std::string order;
  const auto notes_down = [&order](char what) {
    return [&order, what](SqlTransaction&) -> Result<> {
      order += what;
      return {};
    };
  };
  for (int i = 0; i < 300; ++i) submit(notes_down('r'));
  for (int i = 0; i < 300; ++i) submit(notes_down('c'), Urgency::consumer);
  run();
  EXPECT_EQ(statistics().batches - before, 3U);
  const std::string first = order.substr(0, 256);
  EXPECT_EQ(first, std::string(192, 'c') + std::string(64, 'r'));
  const std::string second = order.substr(256, 256);
  EXPECT_EQ(second, std::string(108, 'c') + std::string(148, 'r'));
}

TEST_F(LaneTest, a_full_queue_refuses_at_once) {
  SqliteOptions narrow = options();
  narrow.requests_max = 2;
  open(narrow);
  int runs = 0;
  const auto counts = [&runs](SqlTransaction&) -> Result<> {
    ++runs;
    return {};
  };
  for (int i = 0; i < 3; ++i) submit(counts);
  submit(counts, Urgency::consumer);
  EXPECT_EQ(database_->load(), 1.0);
  context_.restart();
  context_.run();  // nothing of it has been run yet
  EXPECT_TRUE(outcome(2).error().is(errors::overloaded));
  EXPECT_TRUE(outcomes_.at(0).empty());
  run();
  EXPECT_EQ(runs, 3);
  EXPECT_EQ(database_->load(), 0.0);
  EXPECT_EQ(statistics().overloads, 1U);
}

TEST_F(LaneTest, readers_of_the_log_are_told_in_commit_order_and_before_the_answers) {
  std::vector<std::string> told;
  database_->on_appended([&](std::span<const StoredEvent> events) {
    for (const StoredEvent& event : events) told.push_back(std::to_string(event.id.position));
  });
  for (int id = 1; id <= 2; ++id) submit(writes(id));
  submit([&](SqlTransaction& transaction) -> Result<> {
    transaction.on_commit([&] { told.emplace_back("after the commit"); });
    return {};
  });
  database_->submit(Urgency::request, Job{[](SqlTransaction&) -> Result<> { return {}; },
                                          [&](const Result<>&) { told.emplace_back("answer"); }});
  run();
  EXPECT_THAT(told, ElementsAre("1", "2", "after the commit", "answer"));
}

// --- Simulated crashes ---------------------------------------------------------------------------

struct Killed {};
std::string_view deadly;  // NOLINT: a hook is a plain function

void kill_there(std::string_view crash_point) {
  if (crash_point == deadly) throw Killed{};
}

class LaneCrash : public LaneTest, public ::testing::WithParamInterface<const char*> {
 protected:
  void TearDown() override {
    install_crash_point_hook(nullptr);
    LaneTest::TearDown();
  }
};

TEST_P(LaneCrash, leaves_the_whole_batch_or_nothing_of_it) {
  deadly = GetParam();
  install_crash_point_hook(kill_there);
  submit(writes(1));
  submit(writes(2));
  EXPECT_THROW(database_->run_pending(), Killed);
  install_crash_point_hook(nullptr);
  open(options());
  context_.run();
  EXPECT_TRUE(outcomes_.at(0).empty());
  EXPECT_THAT(committed_, IsEmpty());
  const bool is_durable = deadly == "lane.after_commit" || deadly == "lane.before_completions";
  EXPECT_EQ(notes().size(), is_durable ? 2U : 0U);
  EXPECT_EQ(appended().size(), is_durable ? 2U : 0U);
}

INSTANTIATE_TEST_SUITE_P(At, LaneCrash,
                         ::testing::Values("lane.after_seal", "lane.before_commit",
                                           "lane.after_commit", "lane.before_completions"));

}  // namespace
}  // namespace freehold
