// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/internal/log_tail.h"

#include <gtest/gtest.h>

namespace freehold::internal {
namespace {

std::shared_ptr<const LogTail::Chunk> commit(std::uint64_t first, std::uint64_t last,
                                             std::uint64_t stamp) {
  LogTail::Chunk chunk;
  for (std::uint64_t position = first; position <= last; ++position)
    chunk.push_back({{0, position, stamp}, "a.b.v1", "", std::string(100, 'x')});
  return std::make_shared<const LogTail::Chunk>(std::move(chunk));
}

std::vector<std::uint64_t> positions(const LogTail::View& view) {
  std::vector<std::uint64_t> positions;
  for (const auto& chunk : view.chunks)
    for (const StoredEvent& event : *chunk) positions.push_back(event.id.position);
  return positions;
}

TEST(LogTail, holds_what_follows_the_head_at_its_start) {
  LogTail tail{{0, 10, 7}, 1 << 20};
  EXPECT_TRUE(tail.after({0, 10, 7}, 100)->chunks.empty());
  tail.append(commit(11, 12, 8));
  tail.append(commit(13, 13, 9));
  const auto view = tail.after({0, 10, 7}, 100);
  ASSERT_TRUE(view);
  EXPECT_EQ(positions(*view), (std::vector<std::uint64_t>{11, 12, 13}));
  EXPECT_EQ(view->head, (EventId{0, 13, 9}));
  EXPECT_FALSE(tail.after({0, 9, 7}, 100)) << "it does not reach back there";
}

TEST(LogTail, gives_whole_commits_from_the_one_that_follows) {
  LogTail tail{{0, 0, 0}, 1 << 20};
  tail.append(commit(1, 3, 8));
  tail.append(commit(4, 6, 9));
  EXPECT_EQ(positions(*tail.after({0, 2, 8}, 100)), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(positions(*tail.after({0, 3, 8}, 100)), (std::vector<std::uint64_t>{4, 5, 6}));
  EXPECT_EQ(positions(*tail.after({0, 2, 8}, 1)), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_EQ(positions(*tail.after({0, 2, 8}, 2)), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 6}));
}

TEST(LogTail, does_not_answer_for_a_place_with_another_stamp) {
  LogTail tail{{0, 0, 0}, 1 << 20};
  tail.append(commit(1, 3, 8));
  EXPECT_TRUE(tail.after({0, 2, 8}, 100));
  EXPECT_FALSE(tail.after({0, 2, 9}, 100));
  EXPECT_FALSE(tail.after({0, 3, 9}, 100));
  EXPECT_FALSE(tail.after({0, 4, 8}, 100)) << "it does not reach there yet";
}

TEST(LogTail, forgets_the_oldest_commits_beyond_its_size) {
  LogTail tail{{0, 0, 0}, 1000};
  for (std::uint64_t position = 1; position <= 50; ++position)
    tail.append(commit(position, position, position));
  EXPECT_FALSE(tail.after({0, 1, 1}, 100));
  EXPECT_EQ(positions(*tail.after({0, 49, 49}, 100)), (std::vector<std::uint64_t>{50}));
  EXPECT_EQ(tail.head(), (EventId{0, 50, 50}));
}

TEST(LogTail, starts_anew_when_a_commit_does_not_follow) {
  LogTail tail{{0, 0, 0}, 1 << 20};
  tail.append(commit(1, 2, 8));
  tail.append(commit(5, 6, 9));
  EXPECT_FALSE(tail.after({0, 2, 8}, 100)) << "3 and 4 are missing here";
  EXPECT_EQ(positions(*tail.after({0, 5, 9}, 100)), (std::vector<std::uint64_t>{5, 6}));
}

}  // namespace
}  // namespace freehold::internal
