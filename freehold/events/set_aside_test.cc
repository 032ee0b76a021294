// SPDX-License-Identifier: Apache-2.0
//
// What happens to an event that cannot be applied, to its key, and to all others.
#include "freehold/events/set_aside.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/database/fault.h"
#include "freehold/events/test_counting.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class SetAsideTest : public CountingTest {
 protected:
  // Tries again only when somebody asks for it.
  static ConsumerOptions patient_options() {
    ConsumerOptions options = quick_options();
    options.retry_first = options.retry_max = 3'600'000ms;
    return options;
  }
  std::vector<std::int64_t> numbers_aside() {
    std::vector<std::int64_t> numbers;
    for (const AsideEvent& event : aside()) {
      const auto batch = EventBatch::read(event.json);
      numbers.push_back(read_json<Counted>((*batch)->events()[0].data, Strictness::strict)->number);
    }
    return numbers;
  }
};

TEST_F(SetAsideTest, a_poison_event_sets_aside_its_key_and_no_other) {
  bad_number = 3;
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    for (int number = 1; number <= 6; ++number)
      for (const char* box : {"red", "blue"})
        if (std::string_view{box} == "red" || number != 3)
          append(transaction, Counted{box, number});
    return {};
  }));
  ConsumerLoop& loop = keep_counting(patient_options());
  ASSERT_TRUE(comes_true([&] { return kept_count() == 7 && aside().size() == 4; }));
  EXPECT_THAT(numbers("red"), ElementsAre(1, 2));
  EXPECT_THAT(numbers("blue"), ElementsAre(1, 2, 4, 5, 6));
  EXPECT_THAT(numbers_aside(), ElementsAre(3, 4, 5, 6));
  const AsideEvent first = aside()[0];
  EXPECT_EQ(first.key, "red");
  EXPECT_EQ(first.attempts, 1);
  EXPECT_FALSE(first.parked);
  EXPECT_THAT(first.why, HasSubstr("a bad number"));
  count("red", 7, 7);
  ASSERT_TRUE(comes_true([&] { return aside().size() == 5; })) << "it queues behind its key";
  EXPECT_EQ(loop.status().state, ConsumerState::running);
  EXPECT_EQ(loop.status().keys_aside, 1U);
}

TEST_F(SetAsideTest, a_redriven_key_keeps_its_order_and_leaves_with_its_last_event) {
  bad_number = 3;
  count("red", 1, 6);
  ConsumerLoop& loop = keep_counting(patient_options());
  ASSERT_TRUE(comes_true([&] { return aside().size() == 4; }));
  bad_number = -1;
  ASSERT_TRUE(keeper_->wait_for(loop.redrive("red")));
  ASSERT_TRUE(comes_true([&] { return aside().empty(); }));
  count("red", 7, 7);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 7; }));
  EXPECT_THAT(numbers("red"), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_TRUE(comes_true([&] { return loop.status().keys_aside == 0; }));
}

TEST_F(SetAsideTest, an_event_set_aside_is_tried_again_by_timer) {
  bad_number = 2;
  count("red", 1, 3);
  ConsumerOptions options = quick_options();
  options.attempts_max = 1'000'000;
  keep_counting(options);
  ASSERT_TRUE(comes_true([&] { return aside().size() == 2 && aside()[0].attempts >= 3; }));
  bad_number = -1;
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  EXPECT_THAT(numbers("red"), ElementsAre(1, 2, 3));
}

TEST_F(SetAsideTest, an_event_that_fails_too_often_is_parked_until_somebody_redrives_it) {
  bad_number = 2;
  count("red", 1, 3);
  ConsumerLoop& loop = keep_counting();
  ASSERT_TRUE(comes_true([&] { return !aside().empty() && aside()[0].parked; }));
  EXPECT_EQ(aside()[0].attempts, 3);
  EXPECT_THAT(aside()[0].why, HasSubstr("a bad number"));
  bad_number = -1;
  start_keeper();  // a parked event waits over restarts, too
  ConsumerLoop& again = keep_counting();
  count("blue", 1, 1);
  ASSERT_TRUE(comes_true([&] { return !numbers("blue").empty(); }));
  EXPECT_THAT(numbers_aside(), ElementsAre(2, 3));
  EXPECT_EQ(keeper_->wait_for(again.redrive("blue")).error().name(), "not_found");
  ASSERT_TRUE(keeper_->wait_for(again.redrive("red")));
  ASSERT_TRUE(comes_true([&] { return kept_count() == 4; }));
  EXPECT_THAT(numbers("red"), ElementsAre(1, 2, 3));
  (void)loop;
}

TEST_F(SetAsideTest, an_offline_redrive_is_seen_by_the_next_start) {
  bad_number = 2;
  count("red", 1, 3);
  ConsumerLoop& loop = keep_counting();
  ASSERT_TRUE(comes_true([&] { return !aside().empty() && aside()[0].parked; }));
  keeper_->wait_for(loop.stop());
  bad_number = -1;
  ASSERT_TRUE(keeper_->write([](SqlTransaction& transaction) -> Result<> {
    EXPECT_EQ(list_set_aside(transaction).size(), 2U);
    return redrive(transaction, "keeping@counter", "red");
  }));
  start_keeper();
  keep_counting();
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3; }));
  EXPECT_THAT(numbers("red"), ElementsAre(1, 2, 3));
}

TEST_F(SetAsideTest, more_keys_in_a_minute_than_poison_explains_stop_the_consumer) {
  Consumer broken{"keeping", "counter"};
  broken.on<Counted>([](SqlTransaction&, const Counted&, const Delivery&) {
    throw std::runtime_error("a bad release");
  });
  for (int box = 0; box < 15; ++box) count("box" + std::to_string(box), 1, 1);
  ConsumerOptions options = patient_options();
  options.lease = 500ms;
  ConsumerLoop& loop = keeper_->consume(broken, counter_->address(), options);
  ASSERT_TRUE(comes_true([&] { return loop.status().state == ConsumerState::stopped; }));
  EXPECT_THAT(loop.status().report, HasSubstr("more than 10 keys"));
  EXPECT_EQ(aside().size(), 10U);
  // The next instance of that release, which takes the consumer over, stops too.
  options.owner = "2";
  ConsumerLoop& next = keeper_->consume(broken, counter_->address(), options);
  ASSERT_TRUE(comes_true([&] { return next.status().state == ConsumerState::stopped; }));
  EXPECT_THAT(next.status().report, HasSubstr("more than 10 keys"));
  EXPECT_EQ(aside().size(), 10U);
  // A better release goes on with what follows; what was set aside waits for its next try.
  start_keeper();
  options.owner = "3";
  keep_counting(options);
  ASSERT_TRUE(comes_true([&] { return kept_count() == 5; }));
}

TEST_F(SetAsideTest, an_unknown_version_of_a_wanted_family_fails) {
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    append(transaction, Counted{"red", 1});
    append(transaction, CountedAgain{"red", 2});
    append(transaction, Counted{"blue", 3});
    return {};
  }));
  keep_counting(patient_options());
  ASSERT_TRUE(comes_true([&] { return kept_count() == 2 && aside().size() == 1; }));
  EXPECT_THAT(aside()[0].why, HasSubstr("counter.counted.v2"));
}

TEST_F(SetAsideTest, an_event_that_cannot_be_read_fails) {
  ASSERT_TRUE(counter_->write([](SqlTransaction& transaction) -> Result<> {
    transaction.append(
        encode(Envelope{.type = "counter.counted.v1", .subject = "red", .partition_key = "red"},
               R"({"box":"red"})"));
    append(transaction, Counted{"blue", 3});
    return {};
  }));
  keep_counting(patient_options());
  ASSERT_TRUE(comes_true([&] { return kept_count() == 1 && aside().size() == 1; }));
  EXPECT_THAT(aside()[0].why, HasSubstr("number"));
}

TEST_F(SetAsideTest, a_refusal_within_an_events_handler_is_a_failure) {
  Consumer refusing{"keeping", "counter"};
  refusing.on<Counted>([](SqlTransaction& transaction, const Counted& event, const Delivery& d) {
    keep(transaction, event, d);
    constexpr sql::Change<void(std::int64_t)> none{"update kept set number = 0 where number > $1"};
    if (event.box == "red") transaction.require(errors::not_found, none, std::int64_t{1000});
  });
  count("blue", 1, 2);
  count("red", 1, 1);
  count("blue", 3, 3);
  keeper_->consume(refusing, counter_->address(), patient_options());
  ASSERT_TRUE(comes_true([&] { return kept_count() == 3 && aside().size() == 1; }));
  EXPECT_THAT(aside()[0].why, HasSubstr("not_found"));
}

// A database that cannot take anything is no event's fault.
TEST_F(SetAsideTest, a_fault_of_the_environment_sets_nothing_aside) {
  static std::atomic<bool> disk_is_full;
  disk_is_full = true;
  Consumer consumer{"keeping", "counter"};
  consumer.on<Counted>([](SqlTransaction& transaction, const Counted& event, const Delivery& d) {
    keep(transaction, event, d);
    if (disk_is_full) throw DatabaseFault(errors::disk_full, "no space left");
  });
  count("red", 1, 5);
  ConsumerLoop& loop = keeper_->consume(consumer, counter_->address(), patient_options());
  ASSERT_TRUE(comes_to(loop, ConsumerState::waiting));
  ASSERT_TRUE(comes_true([&] { return !loop.status().last_error.empty(); }));
  EXPECT_THAT(loop.status().last_error, HasSubstr("disk_full"));
  EXPECT_THAT(aside(), IsEmpty());
  disk_is_full = false;
  ASSERT_TRUE(comes_true([&] { return kept_count() == 5; }));
  EXPECT_THAT(aside(), IsEmpty());
}

}  // namespace
}  // namespace freehold
