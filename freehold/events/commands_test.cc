// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/commands.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/events/test_counting.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr ErrorCode box_is_full{"keeper", "box_is_full", Kind::refused, "The box is full."};

// Keeps the number first and decides then, so that a refusal has something to undo.
Result<Kept> keep_number(SqlTransaction& transaction, const KeepNumber& command,
                         const Delivery& delivery) {
  keep(transaction, Counted{command.box, command.number}, delivery);
  if (command.number > 100) return Error{box_is_full, "100 fit"};
  return Kept{command.number * 2};
}

// A reply as its receiver sees it.
struct SeenReply {
  std::string type;
  std::string in_reply_to;
  std::string subject;
  std::string data;
  std::string trace_parent;
};

// "counter" sends commands to "keeper" and reads its replies.
class CommandsTest : public CountingTest {
 protected:
  ConsumerLoop& take_commands() {
    Commands commands{"keeper"};
    commands.on(keep_number);
    ConsumerOptions options = quick_options();
    options.retry_first = options.retry_max = 3'600'000ms;
    return keeper_->consume(commands.from("counter"), counter_->address(), options);
  }
  void send_number(const std::string& box, std::int64_t number, const std::string& request_id) {
    ASSERT_TRUE(counter_->write([&](SqlTransaction& transaction) -> Result<> {
      send(transaction, KeepNumber{box, number}, request_id);
      return {};
    }));
  }
  std::vector<SeenReply> replies(std::size_t expected, const std::string& reader = "counter") {
    std::vector<SeenReply> seen;
    EXPECT_TRUE(comes_true([&] {
      seen.clear();
      const auto answer = keeper_->get("/feed/0", reader);
      const auto batch = *EventBatch::read(answer.body);
      for (const CloudEvent& event : batch->events())
        seen.push_back({std::string{event.type}, std::string{event.in_reply_to},
                        std::string{event.subject}, std::string{event.data},
                        std::string{event.trace_parent}});
      return seen.size() >= expected;
    }));
    return seen;
  }
};

TEST_F(CommandsTest, are_answered_in_the_transaction_that_did_them) {
  take_commands();
  send_number("red", 7, "saga-1/3");
  const auto seen = replies(1);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].type, "freehold.reply.v1");
  EXPECT_EQ(seen[0].in_reply_to, "saga-1/3");
  EXPECT_EQ(seen[0].subject, "red");
  EXPECT_EQ(seen[0].data,
            R"({"status":"done","command":"keeper.keep_number.v1","reply":{"total":14}})");
  EXPECT_THAT(numbers("red"), ElementsAre(7));
  EXPECT_THAT(replies(0, "other"), IsEmpty()) << "nobody else sees a reply";
}

TEST_F(CommandsTest, that_are_refused_are_answered_and_leave_nothing_behind) {
  ConsumerLoop& loop = take_commands();
  send_number("red", 101, "saga-1/3");
  send_number("red", 7, "saga-2/3");
  const auto seen = replies(2);
  ASSERT_EQ(seen.size(), 2U);
  EXPECT_EQ(seen[0].in_reply_to, "saga-1/3");
  EXPECT_EQ(seen[0].data,
            R"({"status":"refused","command":"keeper.keep_number.v1","error":{"service":"keeper",)"
            R"("name":"box_is_full","kind":"refused","sentence":"The box is full.",)"
            R"("detail":"100 fit"}})");
  EXPECT_EQ(seen[1].in_reply_to, "saga-2/3");
  EXPECT_THAT(numbers("red"), ElementsAre(7)) << "what the refused one wrote is undone";
  EXPECT_THAT(aside(), IsEmpty());
  EXPECT_EQ(loop.status().state, ConsumerState::running);
}

TEST_F(CommandsTest, that_nobody_waits_for_get_no_reply) {
  take_commands();
  send_number("red", 7, "");
  send_number("red", 8, "saga-1/1");
  const auto seen = replies(1);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].in_reply_to, "saga-1/1");
  EXPECT_THAT(numbers("red"), ElementsAre(7, 8));
}

TEST_F(CommandsTest, that_nobody_waits_for_cannot_be_refused) {
  take_commands();
  send_number("red", 101, "");
  ASSERT_TRUE(comes_true([&] { return aside().size() == 1; }));
  EXPECT_THAT(aside()[0].why, HasSubstr("box_is_full"));
  EXPECT_THAT(kept(), IsEmpty());
  EXPECT_THAT(replies(0), IsEmpty());
}

TEST_F(CommandsTest, that_fail_are_set_aside_and_their_senders_are_told) {
  ConsumerLoop& loop = take_commands();
  bad_number = 7;
  send_number("red", 7, "saga-1/3");
  send_number("red", 8, "saga-2/3");
  send_number("blue", 9, "saga-3/3");
  const auto seen = replies(3);
  ASSERT_EQ(seen.size(), 3U);
  EXPECT_EQ(seen[0].type, "freehold.command_set_aside.v1");
  EXPECT_EQ(seen[0].in_reply_to, "saga-1/3");
  EXPECT_THAT(seen[0].data, HasSubstr("a bad number"));
  EXPECT_EQ(seen[1].type, "freehold.command_set_aside.v1") << "it waits behind the first";
  EXPECT_EQ(seen[1].in_reply_to, "saga-2/3");
  EXPECT_EQ(seen[2].type, "freehold.reply.v1");
  EXPECT_EQ(seen[2].in_reply_to, "saga-3/3");
  bad_number = -1;
  ASSERT_TRUE(keeper_->wait_for(loop.redrive("red")));
  const auto after = replies(5);
  EXPECT_EQ(after[3].in_reply_to, "saga-1/3");
  EXPECT_EQ(after[4].in_reply_to, "saga-2/3");
  EXPECT_THAT(numbers("red"), ElementsAre(7, 8));
}

// Silence would lose it: its sender would wait for ever, and the cursor would have moved on.
TEST_F(CommandsTest, that_this_service_does_not_know_fail) {
  take_commands();
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    send(transaction, BurnBox{BoxId::make(), "top"}, "saga-1/1");
    return {};
  }));
  const auto seen = replies(1);
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(seen[0].type, "freehold.command_set_aside.v1");
  EXPECT_THAT(seen[0].data, HasSubstr("does not know the command keeper.burn_box.v1"));
}

TEST_F(CommandsTest, keep_the_trace_of_what_caused_them) {
  take_commands();
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    transaction.append(
        encode(KeepNumber{"red", 1}, {.request_id = "s/1", .trace_parent = "00-11-22-01"}));
    return {};
  }));
  EXPECT_EQ(replies(1)[0].trace_parent, "00-11-22-01");
}

TEST_F(CommandsTest, are_sent_with_the_trace_of_their_transaction) {
  take_commands();
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    {
      const Transaction::Traced traced{transaction, "00-11-22-01"};
      send(transaction, KeepNumber{"red", 1}, "s/1");
    }
    send(transaction, KeepNumber{"blue", 1}, "s/2");
    return {};
  }));
  const auto seen = replies(2);
  EXPECT_EQ(seen[0].trace_parent, "00-11-22-01");
  EXPECT_EQ(seen[1].trace_parent, "");
}

// Many commands, some refused, in one batch: each has one answer, in order.
TEST_F(CommandsTest, have_one_answer_each_however_many_come_at_once) {
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    for (int i = 1; i <= 200; ++i)
      send(transaction, KeepNumber{"box" + std::to_string(i % 7), i}, "s/" + std::to_string(i));
    return {};
  }));
  take_commands();
  const auto seen = replies(200);
  ASSERT_EQ(seen.size(), 200U);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    EXPECT_EQ(seen[i].in_reply_to, "s/" + std::to_string(i + 1));
    EXPECT_THAT(seen[i].data, HasSubstr(i < 100 ? "done" : "refused"));
  }
  EXPECT_EQ(kept_count(), 100U);
}

}  // namespace
}  // namespace freehold
