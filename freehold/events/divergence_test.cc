// SPDX-License-Identifier: Apache-2.0
//
// A log that went back, was replaced or cut too far: every consumer that had read further notices.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/events/test_counting.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class DivergenceTest : public CountingTest {
 protected:
  // Notes the counter's database as it is now; restore() brings this state back on the same port.
  void back_up() {
    backup_ = directory_.path() / "backup";
    ASSERT_TRUE(counter_->database().backup_to(backup_));
  }
  void restore() {
    const auto port = counter_->port();
    counter_.reset();
    for (const auto& entry : std::filesystem::directory_iterator(directory_.path() / "counter"))
      if (entry.path().extension() == ".sqlite") database_file_ = entry.path();
    std::filesystem::remove_all(directory_.path() / "counter");
    std::filesystem::create_directory(directory_.path() / "counter");
    std::filesystem::permissions(directory_.path() / "counter", std::filesystem::perms::owner_all);
    std::filesystem::copy_file(backup_, database_file_);
    start_counter(port);
  }
  EventId head() {
    return counter_->read<EventId>([](SqlTransaction& t) { return t.books().head(0).last; });
  }

  std::filesystem::path backup_;
  std::filesystem::path database_file_;
};

TEST_F(DivergenceTest, a_restored_log_stops_a_consumer_that_had_read_further) {
  count("red", 1, 3);
  ConsumerLoop& loop = keep_counting();
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  back_up();
  count("red", 4, 6);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 6; }));
  const EventId read = head();
  restore();
  ASSERT_TRUE(comes_to(loop, ConsumerState::stopped));
  EXPECT_THAT(loop.status().report, HasSubstr(read.text()));
  EXPECT_THAT(loop.status().report, HasSubstr(head().text()));
}

// The restored log has grown past the reader: positions alone would show nothing wrong.
TEST_F(DivergenceTest, a_restored_log_that_grew_past_a_reader_is_noticed_by_its_stamps) {
  count("red", 1, 3);
  ConsumerLoop& loop = keep_counting();
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  back_up();
  count("red", 4, 6);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 6; }));
  const EventId read = head();
  keeper_->wait_for(loop.stop());
  restore();
  count("red", 14, 20);
  start_keeper();
  ConsumerLoop& again = keep_counting();
  ASSERT_TRUE(comes_to(again, ConsumerState::stopped));
  EXPECT_THAT(again.status().report, HasSubstr(read.text()));
  EXPECT_EQ(kept_count(), 6U);
}

TEST_F(DivergenceTest,
       a_stopped_consumer_stays_stopped_over_a_restart_and_rejoins_when_it_is_told) {
  count("red", 1, 3);
  ConsumerLoop& first = keep_counting();
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  back_up();
  count("red", 4, 6);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 6; }));
  restore();
  ASSERT_TRUE(comes_to(first, ConsumerState::stopped));
  const std::string report = first.status().report;
  count("red", 14, 15);  // what it would report if it asked again is something else
  start_keeper();
  ConsumerLoop& loop = keep_counting();
  ASSERT_TRUE(comes_true([&] { return !loop.status().report.empty(); }));
  EXPECT_EQ(loop.status().report, report);
  EXPECT_EQ(kept_count(), 6U);
  const auto rejoined = keeper_->wait_for(loop.rejoin());
  ASSERT_TRUE(rejoined) << rejoined.error().text();
  ASSERT_TRUE(comes_true([&] { return kept_count() == 8; }));
  EXPECT_THAT(numbers("red"), ElementsAre(1, 2, 3, 4, 5, 6, 14, 15))
      << "from the last common place, not from the beginning";
  EXPECT_EQ(loop.status().report, "");
}

TEST_F(DivergenceTest, a_replaced_log_stops_its_consumers) {
  count("red", 1, 3);
  ConsumerLoop& loop = keep_counting();
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  const auto port = counter_->port();
  counter_.reset();
  std::filesystem::remove_all(directory_.path() / "counter");
  start_counter(port);
  ASSERT_TRUE(comes_to(loop, ConsumerState::stopped));
  start_keeper();
  ConsumerLoop& again = keep_counting();
  ASSERT_TRUE(comes_true([&] { return !again.status().report.empty(); }));
}

TEST_F(DivergenceTest, a_log_that_was_cut_too_far_stops_its_consumers) {
  count("red", 1, 3);
  ConsumerLoop& loop = keep_counting();
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  keeper_->wait_for(loop.stop());
  count("red", 4, 9);
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    transaction.books().cut(0, 6, 1000);
    return {};
  }));
  start_counter(counter_->port());  // what was cut is not in memory any more
  start_keeper();
  ConsumerLoop& again = keep_counting();
  ASSERT_TRUE(comes_to(again, ConsumerState::stopped));
  EXPECT_THAT(again.status().report, HasSubstr("log_truncated"));
  EXPECT_EQ(kept_count(), 3U);
}

TEST_F(DivergenceTest, a_consumer_that_can_begin_anew_does) {
  count("red", 1, 3);
  auto rebuilt = std::make_shared<std::string>();
  Consumer replica = keeping();
  replica.rebuild_on_divergence([this, rebuilt](std::string report) -> Task<Result<>> {
    *rebuilt = report;
    co_return co_await keeper_->database().write([](SqlTransaction& transaction) {
      transaction.run_script("delete from kept; delete from freehold_cursor");
    });
  });
  ConsumerLoop& loop = keeper_->consume(replica, counter_->address());
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  back_up();
  count("red", 4, 6);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 6; }));
  restore();
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  EXPECT_THAT(numbers("red"), ElementsAre(1, 2, 3));
  EXPECT_THAT(*rebuilt, HasSubstr("log_diverged"));
  ASSERT_TRUE(comes_to(loop, ConsumerState::running));
  ASSERT_TRUE(keeper_->wait_for(loop.rebuild()));
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3 && *rebuilt == "asked for"; }));
}

}  // namespace
}  // namespace freehold
