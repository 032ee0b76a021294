// SPDX-License-Identifier: Apache-2.0
//
// Two loops of one consumer on one database, as two instances of a service run them: what the one
// does while the other does something else has its effect once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <memory>

#include "freehold/base/errors.h"
#include "freehold/events/internal/signal.h"
#include "freehold/events/test_counting.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

// A source whose answer to who looks for a common place waits until a test lets it through.
class GatedFeed final : public Feed {
 public:
  GatedFeed(Feed& source, const boost::asio::any_io_executor& executor)
      : source_(source), opened_(executor) {}

  Task<Result<LogDescription>> describe(Deadline deadline) override {
    return source_.describe(deadline);
  }
  Task<Result<FeedRange>> read(FeedRequest request, Deadline deadline) override {
    const bool is_gated = request.consumer.empty();
    auto answer = co_await source_.read(std::move(request), deadline);
    if (is_gated) is_asked = true;
    while (is_gated && !is_open_) co_await opened_.wait(deadline_in(20s));
    co_return answer;
  }
  Task<Result<StatesPage>> states(std::string family, std::string after_subject,
                                  std::size_t events_max, Deadline deadline) override {
    return source_.states(std::move(family), std::move(after_subject), events_max, deadline);
  }

  Task<> open() {
    is_open_ = true;
    opened_.give();
    co_return;
  }

  std::atomic<bool> is_asked = false;

 private:
  Feed& source_;
  internal::Signal opened_;
  bool is_open_ = false;
};

class TwoOwnersTest : public CountingTest {
 protected:
  void SetUp() override {
    CountingTest::SetUp();
    ConsumerOptions options = quick_options();
    options.lease = 10'000ms;
    one_ = &keep_counting(options);
    count("red", 1, 3);
    ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
    options.owner = "2";
    feed_ = std::make_unique<GatedFeed>(keeper_->feed_of("counter", counter_->address()),
                                        keeper_->executor());
    two_ = std::make_unique<ConsumerLoop>(keeper_->database(), *feed_, keeping(),
                                          keeper_->executor(), options);
  }
  void TearDown() override {
    keeper_->wait_for(feed_->open());
    keeper_->wait_for(two_->stop());
    two_.reset();
    feed_.reset();
    CountingTest::TearDown();
  }

  ConsumerLoop* one_ = nullptr;
  std::unique_ptr<GatedFeed> feed_;
  std::unique_ptr<ConsumerLoop> two_;
};

// Else it would move the cursor back over what the owner applies while it looks for the place.
TEST_F(TwoOwnersTest, who_rejoins_owns_the_consumer_before_it_looks_for_the_place) {
  auto rejoined =
      boost::asio::co_spawn(keeper_->executor(), two_->rejoin(), boost::asio::use_future);
  ASSERT_TRUE(comes_true([&] { return feed_->is_asked.load(); }));
  count("red", 4, 6);
  ASSERT_TRUE(comes_true(
      [&] { return kept_count() == 6 || one_->status().state == ConsumerState::waiting; }));
  keeper_->wait_for(feed_->open());
  const Result<> outcome = rejoined.get();
  ASSERT_TRUE(outcome) << outcome.error().text();
  count("red", 7, 8);
  ASSERT_TRUE(comes_true([&] {
    const auto kept = numbers("red");
    return !kept.empty() && kept.back() == 8;
  }));
  EXPECT_THAT(numbers("red"), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

}  // namespace
}  // namespace freehold
