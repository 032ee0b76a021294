// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/internal/intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/events/test_contract.h"

namespace freehold::internal {
namespace {

using testing::HasSubstr;

EventId at(std::uint64_t position) {
  return {0, position, position * 16};
}

// The range (after, through] with these events in it.
FeedRange range(std::uint64_t after, std::uint64_t through,
                const std::vector<std::uint64_t>& positions) {
  set_own_service("counter");
  std::string text = "[";
  for (const std::uint64_t position : positions) {
    NewEvent event = encode(Counted{"red", static_cast<std::int64_t>(position)});
    if (text.size() > 1) text += ',';
    write_cloud_event(text, {at(position), event.type, "", std::move(event.json)});
  }
  return {at(after), at(through), at(through), at(0), "log", *EventBatch::read(text + "]")};
}

class IntakeTest : public testing::Test {
 protected:
  IntakeTest() {
    consumer_.on<Counted>([](SqlTransaction&, const Counted&, const Delivery&) {});
  }
  std::vector<std::uint64_t> taken(const Intake::Taken& taken) {
    std::vector<std::uint64_t> positions;
    for (const Intake::Item* item : taken.items)
      if (item->event) positions.push_back(item->event->id.position);
    return positions;
  }

  Consumer consumer_{"test", "counter"};
  Intake intake_{at(10)};
};

TEST_F(IntakeTest, takes_ranges_that_join) {
  ASSERT_TRUE(intake_.add(range(10, 12, {11, 12}), consumer_));
  ASSERT_TRUE(intake_.add(range(12, 15, {14}), consumer_));
  EXPECT_EQ(intake_.end(), at(15));
  const auto all = intake_.take(100);
  EXPECT_EQ(taken(all), (std::vector<std::uint64_t>{11, 12, 14}));
  EXPECT_EQ(all.from, at(10));
  EXPECT_EQ(all.to, at(15)) << "the hidden end of a range is read, too";
}

TEST_F(IntakeTest, refuses_a_range_that_skips_and_names_both_places) {
  const auto added = intake_.add(range(11, 12, {12}), consumer_);
  ASSERT_FALSE(added);
  EXPECT_TRUE(added.error().is(errors::log_diverged));
  EXPECT_THAT(added.error().text(), HasSubstr(at(10).text()));
  EXPECT_THAT(added.error().text(), HasSubstr(at(11).text()));
}

TEST_F(IntakeTest, refuses_a_range_that_repeats) {
  ASSERT_TRUE(intake_.add(range(10, 12, {11, 12}), consumer_));
  EXPECT_FALSE(intake_.add(range(10, 12, {11, 12}), consumer_));
}

TEST_F(IntakeTest, refuses_a_place_with_another_stamp) {
  FeedRange other = range(10, 12, {11, 12});
  other.after.stamp = 1;
  EXPECT_FALSE(intake_.add(other, consumer_));
}

TEST_F(IntakeTest, refuses_events_that_do_not_lie_in_their_range) {
  EXPECT_FALSE(intake_.add(range(10, 12, {11, 13}), consumer_));
  EXPECT_FALSE(intake_.add(range(10, 12, {12, 11}), consumer_));
  EXPECT_FALSE(intake_.add(range(10, 12, {10}), consumer_));
  EXPECT_FALSE(intake_.add(range(10, 9, {}), consumer_));
}

TEST_F(IntakeTest, keeps_what_is_not_committed) {
  ASSERT_TRUE(intake_.add(range(10, 15, {11, 12, 14}), consumer_));
  const auto first = intake_.take(2);
  EXPECT_EQ(taken(first), (std::vector<std::uint64_t>{11, 12}));
  EXPECT_EQ(first.to, at(12)) << "the cursor stands behind the last event that was taken";
  EXPECT_EQ(taken(intake_.take(2)), taken(first)) << "a batch that is rolled back is taken again";
  intake_.committed(first.to);
  EXPECT_EQ(intake_.cursor(), at(12));
  const auto rest = intake_.take(2);
  EXPECT_EQ(taken(rest), (std::vector<std::uint64_t>{14}));
  EXPECT_EQ(rest.to, at(15));
  intake_.committed(rest.to);
  EXPECT_FALSE(intake_.has_unapplied());
}

TEST_F(IntakeTest, takes_what_lies_behind_what_was_applied_unless_that_is_undone) {
  ASSERT_TRUE(intake_.add(range(10, 15, {11, 12, 14}), consumer_));
  const auto first = intake_.take(2);
  intake_.applied(first.to);
  const auto next = intake_.take(2);
  EXPECT_EQ(taken(next), (std::vector<std::uint64_t>{14}));
  EXPECT_EQ(next.from, at(12));
  intake_.applied(first.from);
  EXPECT_EQ(taken(intake_.take(2)), taken(first));
  intake_.applied(first.to);
  intake_.committed(first.to);
  EXPECT_EQ(taken(intake_.take(2)), taken(next)) << "its place is the same, whoever heard of it";
}

TEST_F(IntakeTest, moves_on_over_ranges_without_events) {
  ASSERT_TRUE(intake_.add(range(10, 12, {}), consumer_));
  ASSERT_TRUE(intake_.add(range(12, 20, {}), consumer_));
  const auto all = intake_.take(1);
  EXPECT_EQ(all.items.size(), 1U);
  EXPECT_EQ(all.events, 0U);
  EXPECT_EQ(all.first_event(), nullptr);
  EXPECT_EQ(all.to, at(20));
}

TEST_F(IntakeTest, is_full_by_events_and_by_bytes) {
  ASSERT_TRUE(intake_.add(range(10, 13, {11, 12, 13}), consumer_));
  EXPECT_TRUE(intake_.is_full(3, 1 << 20));
  EXPECT_TRUE(intake_.is_full(100, 10));
  EXPECT_FALSE(intake_.is_full(100, 1 << 20));
  intake_.committed(at(13));
  EXPECT_FALSE(intake_.is_full(1, 1));
}

}  // namespace
}  // namespace freehold::internal
