// SPDX-License-Identifier: Apache-2.0
//
// An order and its two peers, for the tests of this room: the peers' contracts, the service's
// tables, and the saga that brings an order to its end.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "freehold/saga/saga.h"

namespace freehold::example {

using namespace std::chrono_literals;

inline constexpr ErrorCode out_of_stock{"stock", "out_of_stock", Kind::refused,
                                        "There is not enough."};
inline constexpr ErrorCode not_pending{"order", "not_pending", Kind::conflict,
                                       "The order is not pending any more."};

struct Done {
  std::string order;
};
BOOST_DESCRIBE_STRUCT(Done, (), (order))

struct Hold {
  std::string order;
  int units;
  using Reply = Done;
  static constexpr std::string_view type = "stock.hold.v1";
  static constexpr auto subject = &Hold::order;
};
BOOST_DESCRIBE_STRUCT(Hold, (), (order, units))
struct Release {
  std::string order;
  using Reply = Done;
  static constexpr std::string_view type = "stock.release.v1";
  static constexpr auto subject = &Release::order;
};
BOOST_DESCRIBE_STRUCT(Release, (), (order))
struct Sell {
  std::string order;
  using Reply = Done;
  static constexpr std::string_view type = "stock.sell.v1";
  static constexpr auto subject = &Sell::order;
};
BOOST_DESCRIBE_STRUCT(Sell, (), (order))
struct Charge {
  std::string order;
  using Reply = Done;
  static constexpr std::string_view type = "payment.charge.v1";
  static constexpr auto subject = &Charge::order;
};
BOOST_DESCRIBE_STRUCT(Charge, (), (order))
struct Refund {
  std::string order;
  using Reply = Done;
  static constexpr std::string_view type = "payment.refund.v1";
  static constexpr auto subject = &Refund::order;
};
BOOST_DESCRIBE_STRUCT(Refund, (), (order))

struct Placement {
  std::string order;
  int units = 1;
};
BOOST_DESCRIBE_STRUCT(Placement, (), (order, units))

// `effect` takes a row for each effect and refuses none: a second one is seen.
inline constexpr std::string_view tables =
    "create table orders (id text primary key, state text);"
    "create table effect (number integer primary key, place text, what text);";
inline constexpr sql::Change<void(std::string_view)> insert_order{
    "insert into orders (id, state) values ($1, 'pending')"};
inline constexpr sql::Change<void(std::string_view, std::string_view)> set_state{
    "update orders set state = $2 where id = $1 and state = 'pending'"};
inline constexpr sql::Query<std::string(std::string_view)> state_of{
    "select state from orders where id = $1"};
inline constexpr sql::Change<void(std::string_view, std::string_view)> add_effect{
    "insert into effect (place, what) values ($1, $2)"};
inline constexpr sql::Query<std::string(std::string_view)> effects_at{
    "select what from effect where place = $1 order by number"};

// Moves an order that is pending, with an effect; refused: not_pending.
inline auto become(const std::string& order, std::string_view state) {
  return [order, state](SqlTransaction& transaction) {
    transaction.run(add_effect, order, state);
    transaction.require(not_pending, set_state, order, state);
  };
}

using Checkout = SagaContext<Hold, Release, Charge, Refund, Sell>;

inline Saga place(Checkout saga, Placement placement) {
  const std::string order = placement.order;
  auto held = co_await saga.request(Hold{order, placement.units}).undo(Release{order}).within(24h);
  if (!held) co_return co_await saga.fail("reject", become(order, "rejected"));
  auto charged = co_await saga.request(Charge{order}).undo(Refund{order}).within(1h);
  if (!charged) co_return co_await saga.fail("reject", become(order, "rejected"));
  auto confirmed = co_await saga.run("confirm", become(order, "confirmed"));
  if (!confirmed)
    co_return co_await saga.fail("cancel", [order](SqlTransaction& transaction) {
      transaction.run(add_effect, order, "cancelled");
    });
  co_await saga.tell(Sell{order});
}
inline constexpr SagaDefinition place_order{"place_order.v1", place};

}  // namespace freehold::example
