// SPDX-License-Identifier: Apache-2.0
//
// A consumer's next batch is in the lane before the outcome of the last one was heard of. Whatever
// becomes of that one, each event has its effect once, in order.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <functional>
#include <future>
#include <memory>
#include <stdexcept>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/database/fault.h"
#include "freehold/events/internal/consumer_run.h"
#include "freehold/events/test_counting.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::chrono::seconds patience{20};

// What one thread waits at until another one lets it through.
class Gate {
 public:
  void pass() {
    if (!is_reached_.exchange(true)) reached_.set_value();
    (void)opened_.wait_for(patience);
  }
  bool is_reached() { return reached_future_.wait_for(patience) == std::future_status::ready; }
  void open() { open_.set_value(); }

 private:
  std::atomic<bool> is_reached_ = false;
  std::promise<void> reached_;
  std::future<void> reached_future_ = reached_.get_future();
  std::promise<void> open_;
  std::shared_future<void> opened_ = open_.get_future();
};

// A source that counts how often it is asked what it is: once in each life of the loop.
class CountingFeed final : public Feed {
 public:
  explicit CountingFeed(Feed& source) : source_(source) {}

  Task<Result<LogDescription>> describe(Deadline deadline) override {
    ++lives;
    return source_.describe(deadline);
  }
  Task<Result<FeedRange>> read(FeedRequest request, Deadline deadline) override {
    auto range = co_await source_.read(std::move(request), deadline);
    if (before_first_range) std::exchange(before_first_range, nullptr)();
    co_return range;
  }
  Task<Result<StatesPage>> states(std::string family, std::string after_subject,
                                  std::size_t events_max, Deadline deadline) override {
    return source_.states(std::move(family), std::move(after_subject), events_max, deadline);
  }

  std::atomic<int> lives = 0;
  std::function<void()> before_first_range;  // is handed over, once; on the executor

 private:
  Feed& source_;
};

class NextBatchTest : public CountingTest {
 protected:
  void SetUp() override {
    CountingTest::SetUp();
    feed_ = std::make_unique<CountingFeed>(keeper_->feed_of("counter", counter_->address()));
  }
  void TearDown() override {
    keeper_->wait_for(loop_->stop());
    loop_.reset();
    feed_.reset();
    CountingTest::TearDown();
  }

  // The first try of event 1 waits at the gate in the lane; how it ends is `first_try`.
  void start(void (*first_try)()) {
    Consumer consumer{"keeping", "counter"};
    consumer.on<Counted>([this, first_try](SqlTransaction& transaction, const Counted& event,
                                           const Delivery& delivery) {
      ++tries_;
      if (event.number == 1 && !was_tried_.exchange(true)) {
        lane_.pass();
        first_try();
      }
      keep(transaction, event, delivery);
    });
    options_.retry_first = options_.retry_max = 1'000'000ms;
    loop_ = std::make_unique<ConsumerLoop>(keeper_->database(), *feed_, consumer,
                                           keeper_->executor(), options_);
    keeper_->wait_for([](ConsumerLoop* loop) -> Task<> {
      loop->start();
      co_return;
    }(loop_.get()));
  }

  // Until event 1 is in the lane and event 2 has been read behind it.
  void read_both() {
    count("red", 1, 1);
    read_second();
  }
  // Until the lane is held and event 2 has been read.
  void read_second() {
    ASSERT_TRUE(lane_.is_reached());
    count("blue", 2, 2);
    ASSERT_TRUE(comes_true([this] {
      const auto status = loop_->status();
      return !status.partitions.empty() && status.partitions[0].head.position == 2;
    }));
  }

  // The keeper has died of the event as often as is allowed.
  void has_died_of(const EventId& event) {
    ASSERT_TRUE(keeper_->write([&](SqlTransaction& transaction) -> Result<> {
      transaction.books().put_document("consumer/keeping@counter",
                                       to_json(internal::ConsumerNotes{.clean = false}));
      for (int death = 0; death < options_.crashes_max; ++death)
        transaction.books().note_try("keeping@counter", event);
      return {};
    }));
  }

  Gate lane_;
  ConsumerOptions options_ = quick_options();
  std::atomic<bool> was_tried_ = false;
  std::atomic<int> tries_ = 0;
  std::unique_ptr<CountingFeed> feed_;
  std::unique_ptr<ConsumerLoop> loop_;
};

// The thread that would hear of the first outcome has other things to do.
TEST_F(NextBatchTest, is_applied_before_the_outcome_of_the_last_one_is_heard_of) {
  start([] {});
  read_both();
  Gate thread;
  boost::asio::post(keeper_->executor(), [&thread] { thread.pass(); });
  ASSERT_TRUE(thread.is_reached());
  lane_.open();
  EXPECT_TRUE(comes_true([this] { return kept_count() == 2; }));
  thread.open();
  EXPECT_TRUE(comes_true([this] { return loop_->status().applied == 2; }));
}

TEST_F(NextBatchTest, begins_where_the_last_one_did_when_that_is_undone) {
  start([] { throw std::runtime_error("not this time"); });
  read_both();
  lane_.open();
  EXPECT_TRUE(comes_true([this] { return loop_->status().applied == 2; }));
  EXPECT_THAT(numbers("red"), ElementsAre(1));
  EXPECT_THAT(numbers("blue"), ElementsAre(2));
  EXPECT_THAT(aside(), IsEmpty()) << "the next batch had applied it";
  EXPECT_EQ(feed_->lives, 1) << "it was not taken for another owner's";
}

TEST_F(NextBatchTest, sets_aside_what_fails_in_both) {
  bad_number = 1;
  start([] {});
  read_both();
  lane_.open();
  EXPECT_TRUE(comes_true([this] { return loop_->status().applied == 2; }));
  EXPECT_THAT(numbers("red"), IsEmpty());
  EXPECT_THAT(numbers("blue"), ElementsAre(2));
  EXPECT_EQ(aside().size(), 1U);
  EXPECT_EQ(feed_->lives, 1);
}

// A fault of the environment, told while the next one runs: both are tried again.
TEST_F(NextBatchTest, waits_with_the_last_one_for_the_environment) {
  start([] { throw DatabaseFault(errors::disk_full, "no space left"); });
  read_both();
  lane_.open();
  EXPECT_TRUE(comes_true([this] { return kept_count() == 2; }));
  count("red", 3, 3);
  EXPECT_TRUE(comes_true([this] { return kept_count() == 3; }));
  EXPECT_THAT(numbers("red"), ElementsAre(1, 3));
  EXPECT_TRUE(comes_true([this] { return loop_->status().state == ConsumerState::running; }));
  EXPECT_EQ(feed_->lives, 1);
}

// It is looked up first how often the process died of event 1. A batch in the lane behind that
// would try it once more, and event 2 would be parked in its place.
TEST_F(NextBatchTest, is_not_offered_while_an_event_goes_singly) {
  count("red", 1, 1);
  const EventId deadly =
      counter_->read<EventId>([](SqlTransaction& t) { return t.books().head(0).last; });
  options_.batch_events_max = 1;  // after an unclean stop so many go singly: no other one does
  has_died_of(deadly);
  feed_->before_first_range = [this] {
    keeper_->database().submit(Urgency::request, {.body = [this](SqlTransaction&) -> Result<> {
                                                    lane_.pass();
                                                    return {};
                                                  },
                                                  .done = [](const Result<>&) {},
                                                  .executor = keeper_->executor()});
  };
  start([] {});
  read_second();
  lane_.open();
  EXPECT_TRUE(comes_true([this] { return loop_->status().applied == 2; }));
  EXPECT_FALSE(was_tried_);
  EXPECT_THAT(numbers("blue"), ElementsAre(2));
  const auto parked = aside();
  ASSERT_EQ(parked.size(), 1U);
  EXPECT_EQ(parked[0].id, deadly);
  EXPECT_TRUE(parked[0].parked);
}

TEST_F(NextBatchTest, is_awaited_by_a_stop) {
  start([] {});
  read_both();
  std::atomic<bool> is_over = false;
  boost::asio::co_spawn(keeper_->executor(), loop_->stop(),
                        [&](const std::exception_ptr&) { is_over = true; });
  keeper_->wait_for([]() -> Task<> { co_return; }());  // the stop has begun
  EXPECT_FALSE(is_over);
  lane_.open();
  ASSERT_TRUE(comes_true([&] { return is_over.load(); }));
  const int tries = tries_;
  EXPECT_EQ(kept_count(), 2U);
  keeper_->script("delete from kept");  // whatever the lane still had would come before this
  EXPECT_EQ(tries_, tries);
}

}  // namespace
}  // namespace freehold
