// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/saga_story.h"

#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

namespace freehold {
namespace {

using namespace std::chrono_literals;

constexpr ErrorCode out_of_stock{"stock", "out_of_stock", Kind::refused, "There is not enough."};
constexpr ErrorCode order_is_not_pending{"order", "order_is_not_pending", Kind::conflict,
                                         "The order is not pending any more."};

struct Held {
  std::string by;
};
BOOST_DESCRIBE_STRUCT(Held, (), (by))
struct Hold {
  std::string order;
  int units;
  using Reply = Held;
  static constexpr std::string_view type = "stock.hold.v1";
  static constexpr auto subject = &Hold::order;
};
BOOST_DESCRIBE_STRUCT(Hold, (), (order, units))
struct Release {
  std::string order;
  using Reply = Held;
  static constexpr std::string_view type = "stock.release.v1";
  static constexpr auto subject = &Release::order;
};
BOOST_DESCRIBE_STRUCT(Release, (), (order))
struct Sell {
  std::string order;
  using Reply = Held;
  static constexpr std::string_view type = "stock.sell.v1";
  static constexpr auto subject = &Sell::order;
};
BOOST_DESCRIBE_STRUCT(Sell, (), (order))

struct Placement {
  std::string order;
  int units;
};
BOOST_DESCRIBE_STRUCT(Placement, (), (order, units))

constexpr Migration migrations[] = {
    {1, "orders", MigrationKind::expand, "create table orders (id text primary key, state text)"}};
constexpr sql::Change<void(std::string_view)> insert_order{
    "insert into orders (id, state) values ($1, 'pending')"};
constexpr sql::Change<void(std::string_view, std::string_view)> set_state{
    "update orders set state = $2 where id = $1 and state = 'pending'"};
constexpr sql::Query<std::string(std::string_view)> state_of{
    "select state from orders where id = $1"};

using Checkout = SagaContext<Hold, Release, Sell>;

Saga place(Checkout saga, Placement order) {
  auto held =
      co_await saga.request(Hold{order.order, order.units}).undo(Release{order.order}).within(24h);
  const auto become = [id = order.order](std::string_view state) {
    return [id, state](SqlTransaction& transaction) {
      transaction.require(order_is_not_pending, set_state, id, state);
    };
  };
  if (!held) co_return co_await saga.fail("reject", become("rejected"));
  auto confirmed = co_await saga.run("confirm", become("confirmed"));
  if (!confirmed) co_return co_await saga.fail("cancel", [](SqlTransaction&) {});
  co_await saga.tell(Sell{order.order});
}
constexpr SagaDefinition place_order{"place_order.v1", place};

SagaStory an_order() {
  return SagaStory{place_order, migrations, Placement{"7", 2},
                   [](SqlTransaction& transaction) { transaction.run(insert_order, "7"); }};
}

TEST(SagaStory, tells_an_order_that_is_confirmed_and_sold) {
  an_order()
      .expect(Hold{"7", 2})
      .answered(Held{"7"})
      .expect_step("confirm")
      .expect<Sell>()
      .expect_that("the order is confirmed",
                   [](SqlTransaction& t) { return t.first(state_of, "7") == "confirmed"; })
      .ends();
}

TEST(SagaStory, tells_an_order_that_is_refused_and_releases_nothing) {
  an_order().expect<Hold>().refused(out_of_stock).expect_step("reject").ends();
}

TEST(SagaStory, tells_an_order_without_an_answer_that_is_released_and_rejected) {
  an_order()
      .expect<Hold>()
      .time_passes(24h)
      .expect<Release>()
      .expect_step("reject")
      .answered(Held{"7"})  // late: changes nothing
      .expect_that("the order is rejected",
                   [](SqlTransaction& t) { return t.first(state_of, "7") == "rejected"; })
      .ends();
}

TEST(SagaStory, tells_what_happens_between_two_steps) {
  an_order()
      .expect<Hold>()
      .meanwhile([](SqlTransaction& t) { t.run(set_state, "7", "cancelled"); })
      .answered(Held{"7"})
      .expect_step_refused("confirm", order_is_not_pending)
      .expect<Release>()
      .expect_step("cancel")
      .ends();
}

TEST(SagaStory, fails_with_the_story_so_far_when_something_else_happens) {
  EXPECT_NONFATAL_FAILURE(an_order().expect<Hold>().answered(Held{"7"}).expect_step("reject"),
                          "    the saga is started\n"
                          "    sends stock.hold.v1\n"
                          "    is answered {\"status\":\"done\",\"reply\":{\"by\":\"7\"}}\n"
                          "  - runs `reject`\n"
                          "  + runs `confirm`");
  EXPECT_NONFATAL_FAILURE(an_order().expect(Hold{"7", 3}),
                          "  - sends stock.hold.v1 {\"order\":\"7\",\"units\":3}\n"
                          "  + sends stock.hold.v1 {\"order\":\"7\",\"units\":2}");
  EXPECT_NONFATAL_FAILURE(an_order().expect<Hold>().ends(), "  - the end\n  + the saga is running");
  EXPECT_NONFATAL_FAILURE(an_order().ends(), "  - the end\n  + sends stock.hold.v1");
}

// Not deterministic: what it asks for depends on something outside its steps.
int times_begun = 0;
Saga waver(Checkout saga, Placement order) {
  if (times_begun++ == 0)
    (void)co_await saga.request(Hold{order.order, order.units});
  else
    co_await saga.tell(Sell{order.order});
}
constexpr SagaDefinition wavering{"waver.v1", waver};

TEST(SagaStory, fails_when_a_replay_of_the_body_asks_for_something_else) {
  times_begun = 0;
  EXPECT_NONFATAL_FAILURE(
      SagaStory(wavering, migrations, {"7", 2}).expect<Hold>(),
      "step 1: the journal holds `request stock.hold.v1`, this program asks for `tell "
      "stock.sell.v1`");
}

}  // namespace
}  // namespace freehold
