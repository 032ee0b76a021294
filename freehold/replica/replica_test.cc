// SPDX-License-Identifier: Apache-2.0
#include "freehold/replica/replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "freehold/base/errors.h"
#include "freehold/events/state_checkpoint.h"
#include "freehold/replica/test_library.h"

namespace freehold {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Optional;

class ReplicaTest : public LibraryTest {
 protected:
  // Applies versions of one shelf in that order, straight to the replica's table: version v has v
  // books; the version `deleted_at` ends it.
  void apply_in_order(const std::vector<std::int64_t>& versions, std::int64_t deleted_at) {
    const ReplicaProgram program = shelves.program();
    const Result<> done = desk_->write([&](SqlTransaction& transaction) -> Result<> {
      for (const std::int64_t version : versions) {
        const std::string json = to_json(ShelfState{"a", "", version, version});
        Delivery delivery{.source = "library", .type = ShelfState::type, .subject = "a"};
        delivery.deleted = version == deleted_at;
        delivery.data = json;
        program.apply(transaction, program.table.name, delivery);
      }
      return {};
    });
    ASSERT_TRUE(done) << done.error().text();
  }
  void empty_table() { desk_->script("delete from shelf_replica"); }

  // The library's database as it was when it was backed up, on the same port.
  void back_up_library() {
    ASSERT_TRUE(library_->database().backup_to(directory_.path() / "backup"));
  }
  void restore_library() {
    const auto port = library_->port();
    library_.reset();
    const auto data = directory_.path() / "library";
    std::filesystem::remove_all(data);
    std::filesystem::create_directory(data);
    std::filesystem::copy_file(directory_.path() / "backup", data / "database.sqlite");
    start_library(port);
  }
  void replace_library() {
    const auto port = library_->port();
    library_.reset();
    std::filesystem::remove_all(directory_.path() / "library");
    start_library(port);
  }
};

TEST_F(ReplicaTest, fills_from_the_owners_states_and_then_follows) {
  put("a", 1, 1);
  put("b", 1, 1);
  put("c", 1, 1);
  put("a", 5, 2);
  remove("c", 2);
  ConsumerLoop& loop = copy();
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(all_rows(), ElementsAre(ShelfRow{"a", 5, 2}, ShelfRow{"b", 1, 1}));
  put("b", 7, 2);
  remove("a", 3);
  put("d", 4, 1);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(all_rows(), ElementsAre(ShelfRow{"b", 7, 2}, ShelfRow{"d", 4, 1}));
}

// Asked where it is known: on the I/O thread.
Task<bool> drift_of_shelves(const Replicas* replicas) {
  co_return replicas->drift().at("shelf_replica");
}

TEST_F(ReplicaTest, a_difference_from_its_owner_is_told_at_the_second_checkpoint) {
  put("a", 1, 1);
  put("b", 1, 1);
  remove("b", 2);
  ConsumerLoop& loop = copy();
  const auto compare = [&] {
    ASSERT_TRUE(append_state_checkpoint(library_->database(), "library.shelf"));
    ASSERT_TRUE(catches_up(loop));
  };
  const auto differs = [&] { return desk_->wait_for(drift_of_shelves(replicas_.get())); };
  compare();
  compare();
  EXPECT_FALSE(differs());
  desk_->script("update shelf_replica set freehold_version = 7");
  compare();
  EXPECT_FALSE(differs());
  compare();
  EXPECT_TRUE(comes_true(differs));
  ASSERT_TRUE(desk_->wait_for(loop.rebuild()));
  compare();
  EXPECT_FALSE(differs());
}

TEST_F(ReplicaTest, finds_one_and_several_and_leaves_out_what_it_does_not_know) {
  put("a", 1, 1);
  put("b", 2, 1);
  ASSERT_TRUE(catches_up(copy()));
  EXPECT_THAT(found("a"), Optional(ShelfRow{"a", 1, 1}));
  EXPECT_EQ(found("z"), std::nullopt);
  const std::vector<std::string> keys{"b", "z", "a"};
  const auto rows = desk_->read<std::vector<ShelfRow>>(
      [&](SqlTransaction& transaction) { return shelves.find_all(transaction, keys); });
  EXPECT_THAT(rows, ElementsAre(ShelfRow{"b", 2, 1}, ShelfRow{"a", 1, 1}));
}

TEST_F(ReplicaTest, the_newer_version_wins_whatever_comes_when) {
  copy();
  std::vector<std::int64_t> versions{1, 2, 3, 4};
  do {
    empty_table();
    apply_in_order(versions, 0);
    ASSERT_THAT(found("a"), Optional(ShelfRow{"a", 4, 4})) << testing::PrintToString(versions);
  } while (std::ranges::next_permutation(versions).found);
}

TEST_F(ReplicaTest, a_state_that_is_not_newer_than_its_row_is_counted) {
  put("a", 1, 1);
  const ConsumerLoop& loop = copy();
  ASSERT_TRUE(catches_up(loop));
  const auto passed_over = [&] { return replicas_->passed_over().at("shelf_replica"); };
  const std::uint64_t before = passed_over();
  put("a", 2, 2);
  put("b", 1, 5);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_EQ(passed_over(), before);
  put("b", 1, 4);
  put("b", 1, 5);
  EXPECT_TRUE(comes_true([&] { return passed_over() == before + 2; }));
}

TEST_F(ReplicaTest, a_deletion_is_not_undone_by_an_older_state) {
  copy();
  std::vector<std::int64_t> versions{1, 2, 3};
  do {
    empty_table();
    apply_in_order(versions, 3);
    ASSERT_EQ(found("a"), std::nullopt) << testing::PrintToString(versions);
  } while (std::ranges::next_permutation(versions).found);
  // Only a newer state brings the subject back.
  apply_in_order({4}, 0);
  EXPECT_THAT(found("a"), Optional(ShelfRow{"a", 4, 4}));
}

TEST_F(ReplicaTest, a_state_of_an_unknown_version_is_set_aside_and_holds_up_its_subject_alone) {
  ConsumerLoop& loop = copy();
  ASSERT_TRUE(catches_up(loop));  // so that these come as events, not as latest states
  append_to_library([](SqlTransaction& transaction) {
    append(transaction, ShelfStateAnew{"a", 1});
    append(transaction, ShelfState{"a", "", 2, 2});
    append(transaction, ShelfState{"b", "", 2, 1});
  });
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(all_rows(), ElementsAre(ShelfRow{"b", 2, 1}));
  EXPECT_TRUE(comes_true([&] { return loop.status().keys_aside == 1; }));
}

// 1,200 subjects are three pages. A reader that saw a table being filled would count fewer rows,
// and one that saw older states come back would see a version decrease.
TEST_F(ReplicaTest, readers_see_whole_tables_and_no_step_back_during_rebuilds) {
  constexpr std::int64_t subjects = 1'200;
  put_many(subjects, 1, 1);
  ConsumerLoop& loop = copy();
  ASSERT_TRUE(catches_up(loop));

  std::atomic<bool> done = false;
  std::atomic<std::int64_t> reads = 0;
  std::thread reader{[&] {
    std::vector<ShelfRow> before = all_rows();
    while (!done) {
      const std::vector<ShelfRow> rows = all_rows();
      ASSERT_EQ(rows.size(), subjects);
      for (std::size_t i = 0; i < rows.size(); ++i) ASSERT_GE(rows[i].version, before[i].version);
      before = rows;
      ++reads;
    }
  }};
  std::thread writer{[&] {
    for (std::int64_t version = 2; !done; ++version)
      for (std::int64_t shelf = 0; shelf < 20; ++shelf)
        put(shelf_name(shelf * 60), version, version);
  }};
  for (int i = 0; i < 4; ++i) {
    const std::int64_t reads_before = reads;
    const Result<> rebuilt = desk_->wait_for(loop.rebuild());
    EXPECT_TRUE(rebuilt) << rebuilt.error().text();
    EXPECT_TRUE(comes_true([&] { return reads > reads_before; }));
  }
  done = true;
  writer.join();
  reader.join();
  ASSERT_TRUE(catches_up(loop));
}

TEST_F(ReplicaTest, a_rebuild_repairs_what_has_drifted) {
  put_many(3, 1, 1);
  ConsumerLoop& loop = copy();
  ASSERT_TRUE(catches_up(loop));
  desk_->script(
      "update shelf_replica set books = 99; delete from shelf_replica where shelf = 'shelf 1'");
  const Result<> rebuilt = desk_->wait_for(loop.rebuild());
  ASSERT_TRUE(rebuilt) << rebuilt.error().text();
  EXPECT_THAT(all_rows(), ElementsAre(ShelfRow{"shelf 0", 1, 1}, ShelfRow{"shelf 1", 1, 1},
                                      ShelfRow{"shelf 2", 1, 1}));
  put("shelf 0", 2, 2);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(found("shelf 0"), Optional(ShelfRow{"shelf 0", 2, 2}));
}

TEST_F(ReplicaTest, one_instance_at_a_time_rebuilds) {
  put_many(3, 1, 1);
  ConsumerLoop& loop = copy();
  ASSERT_TRUE(catches_up(loop));
  const auto as_another = [&](auto use) {
    ASSERT_TRUE(desk_->write([&](SqlTransaction& transaction) -> Result<> {
      use(transaction.books());
      return {};
    }));
  };
  as_another([](Books& books) {
    EXPECT_TRUE(books.take_lease("rebuild/shelf_replica", "another", std::chrono::hours{1}));
  });
  const Result<> refused = desk_->wait_for(loop.rebuild());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind(), Kind::unavailable);
  EXPECT_EQ(all_rows().size(), 3U);
  as_another([](Books& books) { books.release_lease("rebuild/shelf_replica", 1); });
  EXPECT_TRUE(desk_->wait_for(loop.rebuild()));
  as_another([](Books& books) {
    EXPECT_TRUE(books.take_lease("rebuild/shelf_replica", "another", std::chrono::hours{1}))
        << "it gives the lease back";
  });
}

TEST_F(ReplicaTest, a_rebuild_that_fails_leaves_the_table_and_the_cursor) {
  put_many(3, 1, 1);
  ConsumerLoop& loop = copy();
  ASSERT_TRUE(catches_up(loop));
  append_to_library(
      [](SqlTransaction& transaction) { append(transaction, ShelfStateAnew{"shelf 1", 2}); });
  ASSERT_TRUE(catches_up(loop));
  EXPECT_FALSE(desk_->wait_for(loop.rebuild()));  // the latest state of a shelf cannot be copied
  EXPECT_EQ(all_rows().size(), 3U);
  put("shelf 2", 2, 2);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(found("shelf 2"), Optional(ShelfRow{"shelf 2", 2, 2}));
}

TEST_F(ReplicaTest, another_shape_makes_another_table_that_wants_a_rebuild_until_it_had_one) {
  put("a", 1, 1);
  ASSERT_TRUE(catches_up(copy()));
  stop_desk();

  // A program that was stopped before it could fill the new table changes nothing of that.
  for (int start = 0; start < 2; ++start) {
    start_desk();
    const ConsumerLoop& loop = copy(labelled_shelves.program());
    EXPECT_TRUE(replicas_->wants_rebuild(loop.consumer().cursor_name()));
    stop_desk();
  }

  start_desk();
  ConsumerLoop& loop = copy(labelled_shelves.program());
  const Result<> rebuilt = desk_->wait_for(loop.rebuild());
  ASSERT_TRUE(rebuilt) << rebuilt.error().text();
  EXPECT_FALSE(replicas_->wants_rebuild(loop.consumer().cursor_name()));
  const auto row = desk_->read<std::optional<LabelledShelfRow>>(
      [](SqlTransaction& transaction) { return labelled_shelves.find(transaction, "a"); });
  EXPECT_THAT(row, Optional(LabelledShelfRow{"a", "of a", 1}));
  stop_desk();

  start_desk();
  const ConsumerLoop& again = copy(labelled_shelves.program());
  EXPECT_FALSE(replicas_->wants_rebuild(again.consumer().cursor_name()));
}

TEST_F(ReplicaTest, rebuilds_itself_when_the_owner_was_restored_from_a_backup) {
  put("a", 1, 1);
  back_up_library();
  put("a", 2, 2);
  put("b", 1, 1);
  ConsumerLoop& loop = copy();
  ASSERT_TRUE(catches_up(loop));
  EXPECT_EQ(all_rows().size(), 2U);
  restore_library();
  ASSERT_TRUE(comes_true([&] { return all_rows() == std::vector<ShelfRow>{ShelfRow{"a", 1, 1}}; }));
  put("a", 3, 2);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(all_rows(), ElementsAre(ShelfRow{"a", 3, 2}));
}

// The feed as it is, but for the first answers to describe().
class FeedThatComesBack final : public Feed {
 public:
  FeedThatComesBack(Feed& feed, int failures) : feed_(feed), failures_(failures) {}

  Task<Result<LogDescription>> describe(Deadline deadline) override {
    if (failures_-- > 0) co_return errors::peer_unavailable;
    co_return co_await feed_.describe(deadline);
  }
  Task<Result<FeedRange>> read(FeedRequest request, Deadline deadline) override {
    return feed_.read(std::move(request), deadline);
  }
  Task<Result<StatesPage>> states(std::string family, std::string after_subject,
                                  std::size_t events_max, Deadline deadline) override {
    return feed_.states(std::move(family), std::move(after_subject), events_max, deadline);
  }

 private:
  Feed& feed_;
  std::atomic<int> failures_;
};

TEST_F(ReplicaTest, rebuilds_itself_even_if_the_owner_is_away_for_a_while) {
  put("a", 1, 1);
  FeedThatComesBack feed{desk_->feed_of("library", library_->address()), 3};
  auto consumer = replicas_->copy(shelves.program(), feed);
  ASSERT_TRUE(consumer);
  ConsumerLoop& loop = desk_->consume(*std::move(consumer), library_->address());
  ASSERT_TRUE(catches_up(loop));
  replace_library();
  ASSERT_TRUE(comes_true([&] { return all_rows().empty(); }));
  put("b", 1, 1);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(all_rows(), ElementsAre(ShelfRow{"b", 1, 1}));
  stop_desk();  // before the feed goes
}

TEST_F(ReplicaTest, a_rebuild_that_waits_for_its_owner_can_be_stopped) {
  put("a", 1, 1);
  FeedThatComesBack feed{desk_->feed_of("library", library_->address()), 1'000'000'000};
  auto consumer = replicas_->copy(shelves.program(), feed);
  ASSERT_TRUE(consumer);
  ConsumerLoop& loop = desk_->consume(*std::move(consumer), library_->address());
  ASSERT_TRUE(catches_up(loop));
  replace_library();
  ASSERT_TRUE(comes_true([&] {
    const std::string error = loop.status().last_error;  // this feed's says no address
    return error.contains("freehold/peer_unavailable") && !error.contains("127.0.0.1");
  }));
  stop_desk();
}

TEST_F(ReplicaTest, rebuilds_itself_when_the_owners_log_was_replaced) {
  put("a", 1, 1);
  ConsumerLoop& loop = copy();
  ASSERT_TRUE(catches_up(loop));
  replace_library();
  ASSERT_TRUE(comes_true([&] { return all_rows().empty(); }));
  put("b", 1, 1);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(all_rows(), ElementsAre(ShelfRow{"b", 1, 1}));
}

}  // namespace
}  // namespace freehold
