// SPDX-License-Identifier: Apache-2.0
//
// A desk that has borrowed books compares its slips with the library's.
#include "freehold/service/reconciliation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <vector>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/events/commands.h"
#include "freehold/events/test_service.h"

namespace freehold {

struct BookGivenBack {
  std::string book;
};
BOOST_DESCRIBE_STRUCT(BookGivenBack, (), (book))
struct GiveBack {
  std::string book;

  using Reply = BookGivenBack;
  static constexpr std::string_view type = "library.give_back.v1";
  static constexpr auto subject = &GiveBack::book;
};
BOOST_DESCRIBE_STRUCT(GiveBack, (), (book))

namespace {

using namespace std::chrono_literals;
using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

struct Slip {
  std::string book;
  std::string state;
};
BOOST_DESCRIBE_STRUCT(Slip, (), (book, state))

constexpr sql::Query<Slip(std::string)> slips_after{
    "select book, state from slip where book > $1 order by book"};
constexpr sql::Change<void(std::string)> drop_slip{"delete from slip where book = $1"};

Result<std::vector<Holding>> slips(SqlTransaction& transaction, std::string_view after,
                                   std::size_t most) {
  std::vector<Holding> all;
  for (Slip& slip : transaction.page(slips_after, {.rows = most}, std::string{after}).rows)
    all.push_back({std::move(slip.book), std::move(slip.state)});
  return all;
}

using State = std::optional<std::string>;

// What the library alone has is given back; what the desk alone has is dropped; who differ, for a
// person.
std::optional<Remedy> judge(const std::string& key, const State& here, const State& there) {
  if (here == there || here == "on its way") return std::nullopt;
  if (!here)
    return Remedy{"give it back", [key](SqlTransaction& transaction) -> Result<> {
                    send(transaction, GiveBack{key});
                    return {};
                  }};
  if (!there)
    return Remedy{"drop it", [key](SqlTransaction& transaction) -> Result<> {
                    transaction.run(drop_slip, key);
                    return {};
                  }};
  return Remedy{"ask a person", [](SqlTransaction&) -> Result<> { return {}; }};
}

class ReconciliationTest : public testing::Test {
 protected:
  void SetUp() override {
    set_own_service("desk");
    const auto make = [this](const std::string& name) {
      auto made = std::make_unique<TestService>(TestServiceOptions{
          .name = name,
          .directory = directory_.path() / name,
          .more_routes = [this](http::Routes& routes, Database& database) {
            held_.push_back(std::make_unique<HeldForCallers>(database, callers_));
            held_.back()->add("slips", slips);
            held_.back()->routes(routes);
          }});
      made->script("create table slip (book text primary key, state text not null)");
      return made;
    };
    library_ = make("library");
    desk_ = make("desk");
  }

  // The library reads what the desk asks for.
  ConsumerLoop& read_commands() {
    Commands commands{"library"};
    commands.on<GiveBack>([](SqlTransaction& transaction, const GiveBack& command,
                             const Delivery&) -> Result<BookGivenBack> {
      transaction.run(drop_slip, command.book);
      return BookGivenBack{command.book};
    });
    return library_->consume(commands.from("desk"), desk_->address());
  }
  void both_hold(int books) {
    for (TestService* each : {library_.get(), desk_.get()})
      each->script("with recursive n(i) as (select 1 union all select i + 1 from n where i < " +
                   std::to_string(books) +
                   ") insert into slip select printf('book %05d', i), 'lent' from n");
  }
  Result<std::string> reconcile(bool apply = false, ReconciliationOptions options = {}) {
    Comparison comparison{desk_->database(), desk_->peer("library", library_->address(), identity_),
                          slips_, options};
    return desk_->wait_for(comparison.run(apply));
  }
  static std::int64_t count(TestService& service) {
    return service.read<std::int64_t>([](SqlTransaction& transaction) {
      return static_cast<std::int64_t>(
          transaction.page(slips_after, {.rows = 10'000}, std::string{}).rows.size());
    });
  }

  const Reconciliation slips_{.peer = "library", .what = "slips", .here = slips, .judge = judge};
  std::vector<std::string> callers_{"desk"};
  std::string identity_ = "desk";
  TemporaryDirectory directory_;
  std::vector<std::unique_ptr<HeldForCallers>> held_;
  std::unique_ptr<TestService> library_;
  std::unique_ptr<TestService> desk_;
};

TEST_F(ReconciliationTest, what_each_side_alone_holds_is_listed_and_nothing_is_changed) {
  read_commands();
  both_hold(1234);  // three pages
  library_->script("delete from slip where book = 'book 00501'");
  desk_->script("delete from slip where book in ('book 00500', 'book 01234')");
  desk_->script("update slip set state = 'lost' where book = 'book 00002'");
  EXPECT_EQ(reconcile().value(),
            "library holds, and desk does not know:\n"
            "  book 00500 lent: give it back\n"
            "  book 01234 lent: give it back\n"
            "desk holds, and library does not know:\n"
            "  book 00501 lent: drop it\n"
            "they differ about:\n"
            "  book 00002 lost here, lent there: ask a person\n"
            "slips: 1234 compared, 4 differ; to do as it says: desk reconcile library apply");
  EXPECT_EQ(count(*desk_), 1232);
  EXPECT_EQ(count(*library_), 1233);
}

TEST_F(ReconciliationTest, applied_it_brings_both_together) {
  read_commands();
  both_hold(20);
  library_->script("delete from slip where book = 'book 00003'");
  desk_->script("delete from slip where book = 'book 00007'");
  EXPECT_THAT(reconcile(true).value(), HasSubstr("20 compared, 2 differ; done as it says"));
  EXPECT_EQ(reconcile(true).value(), "slips: 18 compared, 0 differ");  // it waits for the library
  EXPECT_EQ(count(*desk_), 18);
  EXPECT_EQ(count(*library_), 18);
}

TEST_F(ReconciliationTest, what_is_under_way_is_no_difference) {
  read_commands();
  both_hold(3);
  desk_->script("update slip set state = 'on its way' where book = 'book 00002'");
  EXPECT_EQ(reconcile().value(), "slips: 3 compared, 0 differ");
}

// Between the looks the library reads what was sent, and then nothing differs any more.
TEST_F(ReconciliationTest, what_the_first_look_alone_has_found_is_no_difference) {
  read_commands();
  both_hold(3);
  int looks = 0;
  Reconciliation once = slips_;
  once.judge = [&](const std::string& key, const State& here,
                   const State& there) -> std::optional<Remedy> {
    looks += key == "book 00001" ? 1 : 0;
    if (looks > 1 || key != "book 00002") return judge(key, here, there);
    return Remedy{"never", [](SqlTransaction&) -> Result<> {
                    ADD_FAILURE();
                    return {};
                  }};
  };
  Comparison comparison{desk_->database(), desk_->peer("library", library_->address(), "desk"),
                        once};
  EXPECT_EQ(desk_->wait_for(comparison.run(true)).value(), "slips: 3 compared, 0 differ");
  EXPECT_EQ(looks, 2);
}

TEST_F(ReconciliationTest, a_peer_that_has_not_read_what_was_sent_is_not_judged) {
  desk_->script("insert into slip values ('a', 'lent')");
  ASSERT_TRUE(desk_->write([](SqlTransaction& transaction) -> Result<> {
    send(transaction, GiveBack{"b"});
    return {};
  }));
  const auto refused = reconcile(true, {.peer_reads_within = 200ms});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::deadline_exceeded)) << refused.error().text();
  EXPECT_THAT(refused.error().text(), HasSubstr("library parked says why"));
  EXPECT_EQ(count(*desk_), 1);
}

TEST_F(ReconciliationTest, a_peer_that_stands_in_another_history_is_to_rejoin_first) {
  ASSERT_TRUE(library_->write([](SqlTransaction& transaction) -> Result<> {
    transaction.books().begin_cursor("commands@desk", 0, {{0, 1, 4711}, "another log"});
    return {};
  }));
  ASSERT_TRUE(desk_->write([](SqlTransaction& transaction) -> Result<> {
    send(transaction, GiveBack{"b"});  // position 1 of this log
    return {};
  }));
  const auto refused = reconcile();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::log_diverged));
  EXPECT_THAT(refused.error().text(), AllOf(HasSubstr("00-0000000000000000001-0000000000001267"),
                                            HasSubstr("first library rejoin commands@desk")));
}

TEST_F(ReconciliationTest, a_long_report_says_that_there_is_more) {
  read_commands();
  both_hold(20);
  desk_->script("delete from slip");
  EXPECT_THAT(reconcile(false, {.differences_max = 3}).value(),
              AllOf(HasSubstr("3 differ, and there may be more: reconcile again"),
                    Not(HasSubstr("book 00004"))));
}

TEST_F(ReconciliationTest, only_the_one_caller_is_told) {
  identity_ = "stranger";
  const auto refused = reconcile();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::forbidden));
}

class TwoCallersTest : public ReconciliationTest {
 protected:
  TwoCallersTest() { callers_ = {"desk", "archive"}; }
};

TEST_F(TwoCallersTest, neither_of_two_callers_is_told_what_may_be_the_other_s) {
  const auto refused = reconcile();
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::forbidden));
}

}  // namespace
}  // namespace freehold
