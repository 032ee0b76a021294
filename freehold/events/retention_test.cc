// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/clock.h"
#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/events/event_log.h"
#include "freehold/events/test_contract.h"
#include "freehold/events/test_service.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

// Calendar time that a test sets forward; steady time goes on as ever.
class JumpingClock final : public Clock {
 public:
  Time now() const override { return system_.now() + std::chrono::hours{ahead}; }
  std::chrono::nanoseconds since_start() const override { return system_.since_start(); }
  std::atomic<int> ahead = 0;  // h

 private:
  Clock& system_ = Clock::current();
};

std::atomic<int> errors_recorded = 0;

class RetentionTest : public testing::Test {
 protected:
  void SetUp() override {
    Clock::install(&clock_);
    set_own_service("counter");
  }
  void TearDown() override {
    service_.reset();
    Clock::install(nullptr);
    install_record_sink(nullptr);
  }
  void start(EventLogOptions options = {}) {
    options.note_readers_every = 5ms;
    service_ = std::make_unique<TestService>(
        TestServiceOptions{.name = "counter", .directory = directory_.path(), .log = options});
  }
  void count(std::int64_t first, std::int64_t last) {
    ASSERT_TRUE(service_->write([&](SqlTransaction& transaction) -> Result<> {
      for (auto number = first; number <= last; ++number)
        append(transaction, Counted{"red", number});
      return {};
    }));
  }
  std::size_t sweep() {
    const auto swept = service_->wait_for(service_->log().sweep());
    EXPECT_TRUE(swept) << swept.error().text();
    return *swept;
  }
  std::vector<std::uint64_t> kept() {
    return service_->read<std::vector<std::uint64_t>>([](SqlTransaction& transaction) {
      std::vector<std::uint64_t> positions;
      for (const StoredEvent& event : transaction.books().events_after(0, 0, 1000, 1 << 20))
        positions.push_back(event.id.position);
      return positions;
    });
  }
  EventId id_at(std::uint64_t position) {
    return service_->read<EventId>([position](SqlTransaction& transaction) {
      return EventId{0, position, transaction.books().standing_at(0, position).stamp.value()};
    });
  }
  Result<FeedAnswer> ask(const EventId& after, std::string consumer = "") {
    FeedQuery query;
    query.after = query.acknowledged = after;
    query.consumer = std::move(consumer);
    return service_->wait_for(service_->log().read(query, "keeper"));
  }
  std::vector<ReaderRecord> noted_readers() {
    return service_->read<std::vector<ReaderRecord>>(
        [](SqlTransaction& transaction) { return transaction.books().readers(); });
  }

  JumpingClock clock_;
  TemporaryDirectory directory_;
  std::unique_ptr<TestService> service_;
};

TEST_F(RetentionTest, cuts_what_is_old_and_answers_410_below_it) {
  start();
  count(1, 3);
  clock_.ahead = 6 * 24;
  count(4, 5);
  EXPECT_EQ(sweep(), 0U);
  clock_.ahead = 8 * 24;
  const EventId first = id_at(1);
  EXPECT_EQ(sweep(), 3U);
  EXPECT_THAT(kept(), ElementsAre(4, 5));
  EXPECT_TRUE(ask(id_at(3))) << "the last one that was cut is a place to go on from";
  service_.reset();
  start();  // what was cut is not in memory any more
  const auto refused = ask(first);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::log_truncated));
  EXPECT_EQ(service_->get("/feed/0?lastEventId=" + first.text(), "keeper").status, 410);
}

TEST_F(RetentionTest, keeps_the_latest_state_of_each_subject) {
  start();
  ASSERT_TRUE(service_->write([](SqlTransaction& transaction) -> Result<> {
    append(transaction, CounterState{"red", 1, 1});
    append(transaction, CounterState{"blue", 1, 1});
    append(transaction, CounterState{"red", 2, 2});
    return {};
  }));
  clock_.ahead = 8 * 24;
  EXPECT_EQ(sweep(), 1U);
  EXPECT_THAT(kept(), ElementsAre(2, 3));
  EXPECT_EQ(service_->get("/feed/states?family=counter.state", "keeper").status, 200);
}

TEST_F(RetentionTest, cuts_in_bounded_pieces) {
  start({.sweep_events_max = 10});
  count(1, 35);
  clock_.ahead = 8 * 24;
  EXPECT_EQ(sweep(), 35U);
  EXPECT_TRUE(kept().empty());
}

TEST_F(RetentionTest, keeps_longer_where_a_family_must_be_kept_longer) {
  start({.age_of_family = {{"counter.counted", std::chrono::hours{31 * 24}}}});
  count(1, 3);
  clock_.ahead = 30 * 24;
  EXPECT_EQ(sweep(), 0U);
  clock_.ahead = 32 * 24;
  EXPECT_EQ(sweep(), 3U);
}

TEST_F(RetentionTest, keeps_what_the_least_registered_reader_has_not_acknowledged) {
  start();
  count(1, 5);
  ASSERT_TRUE(ask(id_at(2), "slow"));
  ASSERT_TRUE(ask(id_at(4), "quick"));
  clock_.ahead = 8 * 24;
  EXPECT_EQ(sweep(), 2U);
  EXPECT_THAT(kept(), ElementsAre(3, 4, 5));
  ASSERT_TRUE(ask(id_at(5), "slow"));
  EXPECT_EQ(sweep(), 2U);
  EXPECT_THAT(kept(), ElementsAre(5)) << "the other one has not acknowledged it";
}

TEST_F(RetentionTest, remembers_its_readers_over_a_restart) {
  start();
  count(1, 5);
  ASSERT_TRUE(ask(id_at(2), "slow"));
  ASSERT_TRUE(comes_true([&] { return noted_readers().size() == 1; }));
  service_.reset();
  start();
  const auto readers = noted_readers();
  ASSERT_EQ(readers.size(), 1U);
  EXPECT_EQ(readers[0].service, "keeper");
  EXPECT_EQ(readers[0].consumer, "slow");
  EXPECT_EQ(readers[0].acknowledged, id_at(2));
  clock_.ahead = 8 * 24;
  EXPECT_EQ(sweep(), 2U);
}

TEST_F(RetentionTest, declares_a_reader_lost_beyond_the_bound_with_a_record) {
  install_record_sink([](Severity severity, std::string_view, std::initializer_list<RecordField>) {
    if (severity == Severity::error) ++errors_recorded;
  });
  start({.reader_lost_after = std::chrono::hours{20 * 24}});
  count(1, 5);
  ASSERT_TRUE(ask(id_at(2), "gone"));
  errors_recorded = 0;
  clock_.ahead = 19 * 24;
  EXPECT_EQ(sweep(), 2U);
  EXPECT_EQ(errors_recorded, 0);
  clock_.ahead = 21 * 24;
  EXPECT_EQ(sweep(), 3U);
  EXPECT_EQ(errors_recorded, 1);
  EXPECT_TRUE(noted_readers().empty());
}

}  // namespace
}  // namespace freehold
