// SPDX-License-Identifier: Apache-2.0
//
// A child process rebuilds a replica whose rows have all drifted, and is killed at every crash
// point of this room. What it leaves is the table of before or the new one, never a mixture, with a
// cursor that goes with it; the next life goes on from there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "freehold/base/crash_point.h"
#include "freehold/replica/test_library.h"

namespace freehold {
namespace {

constexpr std::int64_t shelves_in_story = 1'200;  // three pages
constexpr std::int64_t drifted = -1;

class ReplicaCrashTest : public LibraryTest {
 protected:
  void SetUp() override {}
  void TearDown() override {}

  // Runs the story in a child; how it ended, as wait(2) says.
  int run_child(const std::string& crash_at) {
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    const pid_t child = fork();
    if (child == 0) {
      setenv("FREEHOLD_TEST_DIRECTORY", directory_.path().c_str(), 1);
      setenv("FREEHOLD_CRASH_AT", crash_at.c_str(), 1);
      execl(program.c_str(), program.c_str(), "--gtest_filter=ReplicaStoryTest.DISABLED_runs",
            "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr);
      _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  }
  static bool was_killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }

  void make_a_replica_that_drifted() {
    std::filesystem::remove_all(directory_.path() / "library");
    std::filesystem::remove_all(directory_.path() / "desk");
    start();
    put_many(shelves_in_story, 1, 1);
    ASSERT_TRUE(catches_up(copy()));
    desk_->script("update shelf_replica set books = " + std::to_string(drifted));
    stop();
  }

  std::size_t count_rows_with(std::int64_t books) {
    return static_cast<std::size_t>(
        std::ranges::count(all_rows(), books, [](const ShelfRow& row) { return row.books; }));
  }
};

// --- The child -----------------------------------------------------------------------------------

class ReplicaStoryTest : public LibraryTest {
 protected:
  void SetUp() override {
    const char* directory =
        std::getenv("FREEHOLD_TEST_DIRECTORY");  // NOLINT(concurrency-mt-unsafe)
    ASSERT_TRUE(directory) << "it is run by ReplicaCrashTest only";
    set_own_service("library");
    library_ = std::make_unique<TestService>(TestServiceOptions{
        .name = "library", .directory = std::filesystem::path{directory} / "library"});
    desk_ = std::make_unique<TestService>(
        TestServiceOptions{.name = "desk", .directory = std::filesystem::path{directory} / "desk"});
    replicas_ = std::make_unique<Replicas>(desk_->database());
  }
};

TEST_F(ReplicaStoryTest, DISABLED_runs) {
  ConsumerLoop& loop = copy();
  const Result<> rebuilt = desk_->wait_for(loop.rebuild());
  ASSERT_TRUE(rebuilt) << rebuilt.error().text();
}

// --- Its parent ----------------------------------------------------------------------------------

TEST_F(ReplicaCrashTest, of_a_rebuild_leaves_the_old_table_or_the_new_one) {
  int points = 0;
  for (const std::string_view point : crash_points()) {
    if (!point.starts_with("replica.")) continue;
    ++points;
    SCOPED_TRACE(point);
    make_a_replica_that_drifted();
    EXPECT_TRUE(was_killed(run_child(std::string{point}))) << "this point was not reached";

    start();
    const bool is_swapped = point == "replica.after_swap";
    EXPECT_EQ(count_rows_with(is_swapped ? 1 : drifted), shelves_in_story);

    ConsumerLoop& loop = copy();
    EXPECT_FALSE(replicas_->wants_rebuild(loop.consumer().cursor_name()));
    put(shelf_name(7), 5, 2);
    EXPECT_TRUE(catches_up(loop));
    EXPECT_EQ(found(shelf_name(7))->books, 5);
    EXPECT_TRUE(desk_->wait_for(loop.rebuild()));
    EXPECT_EQ(count_rows_with(1), shelves_in_story - 1);
    EXPECT_EQ(found(shelf_name(7))->books, 5);
    stop();
  }
  EXPECT_EQ(points, 4);
}

}  // namespace
}  // namespace freehold
