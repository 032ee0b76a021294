// SPDX-License-Identifier: Apache-2.0
//
// Two loops of one consumer on one database, as two instances of a service run them: what the one
// does while the other does something else has its effect once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <future>
#include <memory>

#include "freehold/base/errors.h"
#include "freehold/events/internal/careful_turn.h"
#include "freehold/events/internal/signal.h"
#include "freehold/events/test_counting.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

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

  // As a third instance would, that was asked to.
  Task<> seize_for_another() {
    const auto seized = co_await keeper_->database().write([](SqlTransaction& transaction) {
      transaction.books().seize_lease("keeping@counter", "3", 1h);
    });
    EXPECT_TRUE(seized);
  }
  static Task<> start(ConsumerLoop* loop) {
    loop->start();
    co_return;
  }
  void replace_log() {
    const auto port = counter_->port();
    counter_.reset();
    std::filesystem::remove_all(directory_.path() / "counter");
    start_counter(port);
  }
  EventId head() {
    return counter_->read<EventId>([](SqlTransaction& t) { return t.books().head(0).last; });
  }
  std::string document() {
    return keeper_->read<std::string>([](SqlTransaction& t) {
      return t.books().document("consumer/keeping@counter").value_or("");
    });
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

// Its report would stop the consumer for good, at whichever instance reads it.
TEST_F(TwoOwnersTest, who_was_replaced_leaves_no_report) {
  keeper_->wait_for(one_->stop());
  Consumer replica = keeping();
  replica.rebuild_on_divergence([this](std::string) -> Task<Result<>> {
    co_await seize_for_another();
    co_return errors::not_found;
  });
  ConsumerOptions options = quick_options();
  options.lease = 10'000ms;
  ConsumerLoop& loop = keeper_->consume(replica, counter_->address(), options);
  ASSERT_TRUE(comes_to(loop, ConsumerState::running));
  replace_log();
  ASSERT_TRUE(comes_true([&] { return loop.status().last_error.contains("not_the_owner"); }));
  EXPECT_EQ(loop.status().state, ConsumerState::waiting);
  EXPECT_THAT(document(), Not(HasSubstr("log_diverged")));
}

// A try that is not made would count as one that killed the process.
TEST_F(TwoOwnersTest, who_was_replaced_notes_no_try) {
  keeper_->wait_for(one_->stop());
  ASSERT_TRUE(keeper_->write([](SqlTransaction& transaction) -> Result<> {
    transaction.books().put_document(
        "consumer/keeping@counter",
        R"({"clean":false,"report":"","heads":[],"family":"","subject":""})");
    return {};
  }));
  count("red", 4, 4);
  auto turn = internal::CarefulTurn::take(nullptr);
  ASSERT_TRUE(turn);
  keeper_->wait_for(start(one_));
  ASSERT_TRUE(comes_to(*one_, ConsumerState::running));
  keeper_->wait_for(seize_for_another());
  turn.reset();
  ASSERT_TRUE(comes_to(*one_, ConsumerState::waiting));
  EXPECT_EQ(keeper_->read<int>([this](SqlTransaction& transaction) {
    return transaction.books().tries("keeping@counter", head());
  }),
            0);
}

}  // namespace
}  // namespace freehold
