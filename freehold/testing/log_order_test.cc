// SPDX-License-Identifier: Apache-2.0
//
// Each promise is broken on purpose: a check that lets one of these pass proves nothing elsewhere.
#include "freehold/testing/log_order.h"

#include <gmock/gmock.h>

namespace freehold {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

LogReading reading(std::uint64_t after, EventId head, std::vector<EventId> events) {
  return {.reader = "r", .partition = 0, .after = after, .head = head, .events = std::move(events)};
}

std::vector<std::string> order(std::vector<LogReading> readings) {
  return breaches_of_order(readings);
}

TEST(LogOrder, a_whole_log_breaks_nothing) {
  EXPECT_THAT(order({reading(0, {0, 0, 0}, {}), reading(0, {0, 2, 7}, {{0, 1, 7}, {0, 2, 7}}),
                     reading(2, {0, 2, 7}, {}), reading(2, {0, 3, 9}, {{0, 3, 9}})}),
              IsEmpty());
}

TEST(LogOrder, a_gap_is_a_breach) {
  EXPECT_THAT(order({reading(0, {0, 3, 7}, {{0, 1, 7}, {0, 3, 7}})}),
              ElementsAre(HasSubstr("does not follow 1")));
}

TEST(LogOrder, a_gap_at_the_end_is_a_breach) {
  EXPECT_THAT(order({reading(0, {0, 3, 9}, {{0, 1, 7}, {0, 2, 7}})}),
              ElementsAre(HasSubstr("is a head without its event")));
}

TEST(LogOrder, an_event_beyond_the_head_is_a_breach) {
  EXPECT_THAT(order({reading(0, {0, 1, 7}, {{0, 1, 7}, {0, 2, 7}})}),
              ElementsAre(HasSubstr("is a head before its events")));
}

TEST(LogOrder, an_event_seen_before_its_predecessor_is_a_breach) {
  EXPECT_THAT(
      order({reading(0, {0, 2, 8}, {{0, 2, 8}}), reading(0, {0, 2, 8}, {{0, 1, 7}, {0, 2, 8}})}),
      ElementsAre(HasSubstr("does not follow 0")));
}

TEST(LogOrder, a_head_that_went_back_is_a_breach) {
  EXPECT_THAT(order({reading(2, {0, 2, 7}, {}), reading(1, {0, 1, 7}, {})}),
              ElementsAre(HasSubstr("is a head that went back")));
}

TEST(LogOrder, a_position_with_two_histories_is_a_breach) {
  EXPECT_THAT(order({reading(0, {0, 1, 7}, {{0, 1, 7}}), reading(0, {0, 1, 8}, {{0, 1, 8}})}),
              Not(IsEmpty()));
}

TEST(LogOrder, a_commit_in_two_pieces_is_a_breach) {
  EXPECT_THAT(order({reading(0, {0, 3, 7}, {{0, 1, 7}, {0, 2, 8}, {0, 3, 7}})}),
              ElementsAre(HasSubstr("has the stamp of a commit that ended before it")));
}

TEST(LogOrder, an_event_of_another_partition_is_a_breach) {
  EXPECT_THAT(order({reading(0, {0, 1, 7}, {{1, 1, 7}})}),
              ElementsAre(HasSubstr("lies in another partition")));
}

TEST(LogOrder, commits_that_follow_one_another_break_nothing) {
  const std::vector<std::vector<EventId>> commits{
      {{0, 1, 7}, {1, 1, 7}, {0, 2, 7}}, {}, {{0, 3, 9}, {1, 2, 9}}};
  EXPECT_THAT(breaches_of_commits(commits), IsEmpty());
}

TEST(LogOrder, stamps_that_differ_within_a_commit_or_return_are_breaches) {
  const std::vector<std::vector<EventId>> differ{{{0, 1, 7}, {0, 2, 8}}};
  EXPECT_THAT(breaches_of_commits(differ), ElementsAre(HasSubstr("has a stamp of its own")));
  const std::vector<std::vector<EventId>> returns{{{0, 1, 7}}, {{0, 2, 7}}};
  EXPECT_THAT(breaches_of_commits(returns),
              ElementsAre(HasSubstr("has the stamp of an earlier commit")));
  const std::vector<std::vector<EventId>> none{{{0, 1, 0}}};
  EXPECT_THAT(breaches_of_commits(none), ElementsAre(HasSubstr("has no stamp")));
}

// The planted bug: positions that come from a counter outside of the transaction. Two writers take
// theirs before they commit; the second commits first, and a third takes one and is undone.
TEST(LogOrder, positions_taken_outside_of_the_transaction_are_caught) {
  std::uint64_t counter = 0;
  const EventId slow{0, ++counter, 7};
  const EventId quick{0, ++counter, 8};
  ++counter;  // the undone one
  const EventId next{0, ++counter, 9};

  const LogReading between = reading(0, quick, {quick});
  const LogReading after = reading(2, next, {next});
  EXPECT_THAT(order({between}), ElementsAre(HasSubstr("does not follow 0")));
  EXPECT_THAT(order({reading(0, quick, {slow, quick}), after}),
              ElementsAre(HasSubstr("does not follow 2")));

  const std::vector<std::vector<EventId>> commits{{quick}, {slow}, {next}};
  EXPECT_THAT(breaches_of_commits(commits), Not(IsEmpty()));
}

}  // namespace
}  // namespace freehold
