// SPDX-License-Identifier: Apache-2.0
#include "freehold/replica/held_replica.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <future>
#include <optional>

#include "freehold/base/errors.h"
#include "freehold/replica/test_library.h"

namespace freehold {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

using Rows = std::vector<ShelfRow>;

Task<> keep(Task<Result<Rows>> found, std::optional<Result<Rows>>* into) {
  into->emplace(co_await std::move(found));
}

class HeldReplicaTest : public LibraryTest {
 protected:
  // On a thread of its own, so that it asks nothing of the desk's.
  static Rows ask(const HeldReplica<ShelfState, ShelfRow>& replica, std::vector<std::string> keys) {
    boost::asio::io_context io;
    std::optional<Result<Rows>> rows;
    boost::asio::co_spawn(io, keep(replica.find_all(std::move(keys)), &rows),
                          boost::asio::detached);
    io.run();
    FREEHOLD_ASSERT(rows && *rows, "a test could not read");
    return **std::move(rows);
  }
  Rows ask(std::vector<std::string> keys) { return ask(*held_, std::move(keys)); }

  // Also until what follows the commits has run.
  bool follows(const ConsumerLoop& loop) {
    const bool has_all = catches_up(loop);
    (void)desk_->write([](SqlTransaction&) -> Result<> { return {}; });
    (void)desk_->wait_for(nothing());
    return has_all;
  }
  static Task<bool> nothing() { co_return true; }

  // What no replica does: so a row that is found as it was is found in memory.
  void change_the_table_behind_it() { desk_->script("update shelf_replica set books = 99"); }

  ConsumerLoop& hold(std::size_t rows_max = 1024) {
    held_.emplace(shelves, desk_->database(), rows_max);
    return copy(held_->program());
  }

  // A body that applies this state to the replica's table, as its consumer does.
  auto state(std::int64_t books, std::int64_t version) {
    return [this, books, version](SqlTransaction& transaction) {
      const std::string json = to_json(ShelfState{"a", "", books, version});
      Delivery delivery{.source = "library", .type = ShelfState::type, .subject = "a"};
      delivery.data = json;
      held_->program().apply(transaction, std::string{shelves.table()}, delivery);
    };
  }

  std::optional<HeldReplica<ShelfState, ShelfRow>> held_;
};

TEST_F(HeldReplicaTest, finds_what_was_found_before_without_a_read) {
  put("a", 1, 1);
  put("b", 2, 1);
  const ConsumerLoop& loop = hold();
  ASSERT_TRUE(follows(loop));
  EXPECT_THAT(ask({"b", "z", "a"}), ElementsAre(ShelfRow{"b", 2, 1}, ShelfRow{"a", 1, 1}));
  change_the_table_behind_it();
  EXPECT_THAT(ask({"a", "b"}), ElementsAre(ShelfRow{"a", 1, 1}, ShelfRow{"b", 2, 1}));
  put("z", 3, 1);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(ask({"z"}), ElementsAre(ShelfRow{"z", 3, 1})) << "what is not there is not held";
}

TEST_F(HeldReplicaTest, takes_in_the_table_with_the_first_reads) {
  constexpr std::int64_t subjects = 300;
  put_many(subjects, 1, 1);
  remove(shelf_name(7), 2);
  ConsumerLoop& loop = hold(64 * 1024);
  ASSERT_TRUE(follows(loop));
  for (int i = 0; i < 3; ++i) ask({"no shelf has this name"});
  change_the_table_behind_it();
  for (std::int64_t i = 0; i < subjects; ++i)
    if (i != 7) EXPECT_EQ(ask({shelf_name(i)})[0].books, 1) << "held, though never asked for";
  EXPECT_THAT(ask({shelf_name(7)}), IsEmpty());
  ASSERT_TRUE(desk_->wait_for(loop.rebuild()));
  for (int i = 0; i < 3; ++i) ask({"no shelf has this name"});
  change_the_table_behind_it();
  for (std::int64_t i = 0; i < subjects; ++i)
    if (i != 7) EXPECT_EQ(ask({shelf_name(i)})[0].books, 1) << "held anew after a rebuild";
}

TEST_F(HeldReplicaTest, finds_a_change_and_a_deletion_as_soon_as_they_are_in_the_table) {
  put("a", 1, 1);
  const ConsumerLoop& loop = hold();
  ASSERT_TRUE(follows(loop));
  ASSERT_THAT(ask({"a"}), ElementsAre(ShelfRow{"a", 1, 1}));
  put("a", 2, 2);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(ask({"a"}), ElementsAre(ShelfRow{"a", 2, 2}));
  remove("a", 3);
  ASSERT_TRUE(catches_up(loop));
  EXPECT_THAT(ask({"a"}), IsEmpty());
}

// What follows a commit runs on the I/O thread, which is kept busy here.
TEST_F(HeldReplicaTest, finds_nothing_older_than_the_table_while_what_follows_a_commit_waits) {
  put("a", 1, 1);
  ASSERT_TRUE(follows(hold()));
  ASSERT_THAT(ask({"a"}), ElementsAre(ShelfRow{"a", 1, 1}));
  std::promise<void> may_go_on;
  boost::asio::post(desk_->executor(), [busy = may_go_on.get_future()]() mutable { busy.wait(); });
  ASSERT_TRUE(desk_->database().write_now([&](SqlTransaction& transaction) -> Result<> {
    state(2, 2)(transaction);
    EXPECT_THAT(ask({"a"}), ElementsAre(ShelfRow{"a", 1, 1})) << "it is not committed";
    return {};
  }));
  EXPECT_THAT(ask({"a"}), ElementsAre(ShelfRow{"a", 2, 2}));
  may_go_on.set_value();
}

TEST_F(HeldReplicaTest, holds_again_after_a_change_that_was_undone) {
  put("a", 1, 1);
  ASSERT_TRUE(follows(hold()));
  EXPECT_FALSE(desk_->database().write_now([&](SqlTransaction& transaction) -> Result<> {
    state(2, 2)(transaction);
    return errors::overloaded;
  }));
  EXPECT_THAT(ask({"a"}), ElementsAre(ShelfRow{"a", 1, 1}));
  change_the_table_behind_it();
  EXPECT_THAT(ask({"a"}), ElementsAre(ShelfRow{"a", 1, 1}));
}

TEST_F(HeldReplicaTest, does_not_keep_what_was_read_before_a_change) {
  using HeldRows = internal::HeldRows<std::string, ShelfRow>;
  const auto rows = std::make_shared<HeldRows>(
      8, [](const ShelfRow& row) -> const std::string& { return row.shelf; });
  const auto is_held = [&](const std::string& key) {
    return rows->find_all(std::vector{key}).has_value();
  };
  const auto keep = [&](ShelfRow row, const HeldRows::Moment& moment) {
    rows->keep(std::vector{std::move(row)}, {}, moment);
  };
  const HeldRows::Moment before = rows->moment();
  HeldRows::Moment during;
  ASSERT_TRUE(desk_->write([&](SqlTransaction& transaction) -> Result<> {
    rows->change(transaction, "a");
    during = rows->moment();
    keep({"b", 1, 1}, during);
    EXPECT_FALSE(is_held("b")) << "a change is under way";
    return {};
  }));
  ASSERT_TRUE(comes_true([&] {
    keep({"b", 1, 1}, rows->moment());
    return is_held("b");
  })) << "it has ended";
  keep({"a", 1, 1}, before);
  keep({"a", 1, 1}, during);
  EXPECT_FALSE(is_held("a"));
  keep({"a", 2, 2}, rows->moment());
  EXPECT_TRUE(is_held("a"));
}

TEST_F(HeldReplicaTest, goes_on_with_the_table_where_it_was_and_leaves_half_of_the_places) {
  using HeldRows = internal::HeldRows<std::string, ShelfRow>;
  const auto rows = std::make_shared<HeldRows>(
      16, [](const ShelfRow& row) -> const std::string& { return row.shelf; });
  ASSERT_EQ(rows->walk_step(), 8);
  std::vector<ShelfRow> walked;
  for (const char name : std::string_view{"zyxwvuts"})
    walked.push_back({std::string(1, name), 1, 1});
  const HeldRows::Moment first = rows->moment();
  ASSERT_TRUE(desk_->write([&](SqlTransaction& transaction) -> Result<> {
    rows->change(transaction, "a");
    rows->keep({}, walked, rows->moment());
    return {};
  }));
  rows->keep({}, walked, first);
  EXPECT_EQ(rows->moment().walk, first.walk) << "what was not taken in is read once more";
  ASSERT_TRUE(comes_true([&] {
    rows->keep({}, walked, rows->moment());
    return rows->moment().walk.down_to == "s";
  }));
  EXPECT_TRUE(rows->moment().walk.is_over) << "the rest is for what is asked for";
}

TEST_F(HeldReplicaTest, lets_all_go_when_the_replica_is_rebuilt) {
  put("a", 1, 1);
  ConsumerLoop& loop = hold();
  ASSERT_TRUE(follows(loop));
  change_the_table_behind_it();
  ASSERT_THAT(ask({"a"}), ElementsAre(ShelfRow{"a", 99, 1}));
  ASSERT_TRUE(desk_->wait_for(loop.rebuild()));
  EXPECT_THAT(ask({"a"}), ElementsAre(ShelfRow{"a", 1, 1}));
}

// It has one set. With the last of them comes the one before it.
TEST_F(HeldReplicaTest, holds_four_rows_of_one_set) {
  put_many(5, 1, 1);
  ASSERT_TRUE(follows(hold(4)));
  for (int i = 4; i >= 1; --i) ask({shelf_name(i)});
  change_the_table_behind_it();
  for (int i = 4; i >= 1; --i)
    EXPECT_THAT(ask({shelf_name(i)}), ElementsAre(ShelfRow{shelf_name(i), 1, 1}));
  EXPECT_THAT(ask({shelf_name(0)}), ElementsAre(ShelfRow{shelf_name(0), 99, 1})) << "read now";
  desk_->script("update shelf_replica set books = 100");
  EXPECT_THAT(ask({shelf_name(0)}), ElementsAre(ShelfRow{shelf_name(0), 99, 1}));
  int held = 0;
  for (int i = 1; i <= 4; ++i) held += ask({shelf_name(i)})[0].books == 1 ? 1 : 0;
  EXPECT_GE(held, 2) << "one was pushed out, and another when that was read again";
}

TEST_F(HeldReplicaTest, finds_all_when_more_are_asked_for_than_it_may_hold) {
  constexpr std::int64_t subjects = 50;
  put_many(subjects, 1, 1);
  ASSERT_TRUE(follows(hold(3)));
  for (int round = 0; round < 2; ++round)
    for (std::int64_t i = 0; i < subjects; ++i)
      EXPECT_THAT(ask({shelf_name(i), shelf_name(0)}),
                  ElementsAre(ShelfRow{shelf_name(i), 1, 1}, ShelfRow{shelf_name(0), 1, 1}));
}

}  // namespace
}  // namespace freehold
