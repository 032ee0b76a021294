// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/lane.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>
#include <string>
#include <vector>

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

}  // namespace
}  // namespace freehold
