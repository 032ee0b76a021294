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

  static constexpr std::int64_t subjects = 300;
  void miss(int times) {
    for (int i = 0; i < times; ++i) ask({"no shelf has this name"});
  }
  // How many of them are found in memory.
  std::int64_t held() {
    change_the_table_behind_it();
    std::int64_t held = 0;
    for (std::int64_t i = 0; i < subjects; ++i) {
      const Rows rows = ask({shelf_name(i)});
      if (!rows.empty() && rows[0].books != 99) ++held;
    }
    desk_->script("update shelf_replica set books = 1");
    return held;
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
  put_many(subjects, 1, 1);
  remove(shelf_name(7), 2);
  ConsumerLoop& loop = hold(64 * 1024);
  ASSERT_TRUE(follows(loop));
  miss(3);
  EXPECT_EQ(held(), subjects - 1) << "though nobody asked for them";
  EXPECT_THAT(ask({shelf_name(7)}), IsEmpty());
  ASSERT_TRUE(desk_->wait_for(loop.rebuild()));
  miss(3);
  EXPECT_EQ(held(), subjects - 1) << "and anew after a rebuild";
}

TEST_F(HeldReplicaTest, takes_in_what_came_after_it_had_been_through_the_table) {
  const ConsumerLoop& loop = hold(64 * 1024);
  miss(1);
  put_many(subjects, 1, 1);
  ASSERT_TRUE(follows(loop));
  miss(10);
  EXPECT_EQ(held(), 0) << "a walk costs something, too";
  miss(200);
  EXPECT_EQ(held(), subjects);
}

TEST_F(HeldReplicaTest, goes_on_behind_rows_that_were_deleted) {
  put_many(subjects, 1, 1);
  for (std::int64_t i = 0; i < subjects; ++i)
    if (i != 0) remove(shelf_name(i), 2);
  ASSERT_TRUE(follows(hold(64 * 1024)));
  miss(3);
  EXPECT_EQ(held(), 1);
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

// Of sixteen places, so eight rows a step.
class HeldRowsTest : public HeldReplicaTest {
 protected:
  using Held = internal::HeldRows<std::string, ShelfRow>;

  static Held::Walked step(std::string_view names) {
    Held::Walked walked{.down_to = std::string{names.back()}};
    for (const char name : names) walked.rows.push_back({std::string{name}, 1, 1});
    return walked;
  }
  bool is_held(const std::string& key) const {
    return rows_->find_all(std::vector{key}).has_value();
  }
  static const std::string& key_of(const ShelfRow& row) { return row.shelf; }

  std::shared_ptr<Held> rows_ = std::make_shared<Held>(16, &key_of);
};

TEST_F(HeldRowsTest, does_not_keep_what_was_read_before_a_change) {
  const auto keep = [&](ShelfRow row, const Held::Moment& moment) {
    rows_->keep({std::move(row)}, {}, moment);
  };
  const Held::Moment before = rows_->moment();
  Held::Moment during;
  ASSERT_TRUE(desk_->write([&](SqlTransaction& transaction) -> Result<> {
    rows_->change(transaction, "a");
    during = rows_->moment();
    keep({"b", 1, 1}, during);
    EXPECT_FALSE(is_held("b")) << "a change is under way";
    return {};
  }));
  ASSERT_TRUE(comes_true([&] {
    keep({"b", 1, 1}, rows_->moment());
    return is_held("b");
  })) << "it has ended";
  keep({"a", 1, 1}, before);
  keep({"a", 1, 1}, during);
  EXPECT_FALSE(is_held("a"));
  keep({"a", 2, 2}, rows_->moment());
  EXPECT_TRUE(is_held("a"));
}

TEST_F(HeldRowsTest, a_step_is_taken_again_when_something_has_changed_since) {
  const Held::Moment before = rows_->moment();
  ASSERT_TRUE(before.step);
  EXPECT_EQ(before.step->rows, 8);
  ASSERT_TRUE(desk_->write([&](SqlTransaction& transaction) -> Result<> {
    rows_->change(transaction, "a");
    EXPECT_FALSE(rows_->moment().step) << "it could not be kept";
    return {};
  }));
  ASSERT_TRUE(comes_true([&] { return rows_->moment().step.has_value(); }));
  rows_->keep({}, step("zy"), before);
  EXPECT_FALSE(rows_->moment().step->before);
  EXPECT_FALSE(is_held("z"));
}

TEST_F(HeldRowsTest, two_that_took_the_same_step_have_gone_it_once) {
  const Held::Moment first = rows_->moment();
  rows_->keep({}, step("zyx"), first);
  EXPECT_EQ(rows_->moment().step->before, "x");
  const Held::Moment second = rows_->moment();
  rows_->keep({}, step("wvu"), second);
  rows_->keep({}, step("zyx"), first);
  rows_->keep({}, step("wvu"), second);
  EXPECT_EQ(rows_->moment().step->before, "u");
  rows_->keep({}, step("ts"), rows_->moment());
  EXPECT_FALSE(rows_->moment().step) << "the rest of the places is for what is asked for";
}

TEST_F(HeldRowsTest, what_nobody_asked_for_pushes_nothing_out) {
  rows_ = std::make_shared<Held>(4, &key_of);
  rows_->keep({{"a", 1, 1}, {"b", 1, 1}, {"c", 1, 1}, {"d", 1, 1}}, step("zy"), rows_->moment());
  for (const char* key : {"a", "b", "c", "d"}) EXPECT_TRUE(is_held(key));
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
  constexpr std::int64_t many = 50;
  put_many(many, 1, 1);
  ASSERT_TRUE(follows(hold(3)));
  for (int round = 0; round < 2; ++round)
    for (std::int64_t i = 0; i < many; ++i)
      EXPECT_THAT(ask({shelf_name(i), shelf_name(0)}),
                  ElementsAre(ShelfRow{shelf_name(i), 1, 1}, ShelfRow{shelf_name(0), 1, 1}));
}

}  // namespace
}  // namespace freehold
