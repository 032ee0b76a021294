// SPDX-License-Identifier: Apache-2.0
#include "shop/order/reconcile_reservations.h"

#include <gtest/gtest.h>

#include "freehold/testing/scratch_database.h"
#include "shop/order/cancel_order.h"
#include "shop/order/place_order.h"
#include "shop/order/store/migrations.h"
#include "shop/order/store/orders.h"

namespace order {
namespace {

using freehold::Result, freehold::SqlTransaction;
using State = std::optional<std::string>;
using Types = std::vector<std::string>;

class ReconcileReservations : public testing::Test {
 protected:
  ReconcileReservations() {
    freehold::set_own_service("order");
    database_.migrate(migrations());
  }

  OrderId an_order() {
    const Order order{.id = OrderId::make(),
                      .customer_id = user::UserId::make(),
                      .reason = nullptr,
                      .lines = {{product::ProductId::make(), "Tea", 2, 450, 900, 3}},
                      .total = {900, "EUR"},
                      .placed_at = freehold::now()};
    write([&](SqlTransaction& t) { insert(t, order, {R"("1 Long Lane")"}); });
    return order.id;
  }
  OrderId a_confirmed_order() {
    const OrderId id = an_order();
    write([id](SqlTransaction& t) { EXPECT_TRUE(confirm(t, id)); });
    return id;
  }
  void write(const std::function<void(SqlTransaction&)>& body) {
    ASSERT_TRUE(database_.write([&](SqlTransaction& transaction) -> Result<> {
      body(transaction);
      return {};
    }));
  }

  // What this service says of an order; nullopt: it does not know it.
  State claim(OrderId id) {
    return database_.read([&](SqlTransaction& transaction) -> State {
      for (const freehold::Holding& each : compared_.here(transaction, "", 100).value())
        if (each.key == id.text()) return each.state;
      return std::nullopt;
    });
  }
  // What a difference makes this service send, in words of its log; "": there is none.
  Types sent_for(OrderId id, const State& there) {
    const auto remedy = compared_.judge(id.text(), claim(id), there);
    if (!remedy) return {};
    return sent_by(*remedy);
  }
  Types sent_by(const freehold::Remedy& remedy) {
    const auto before = events().size();
    write([&](SqlTransaction& t) { EXPECT_TRUE(remedy.apply(t)); });
    auto after = events();
    return {after.begin() + static_cast<std::ptrdiff_t>(before), after.end()};
  }
  Types events() {
    return database_.read([](SqlTransaction& transaction) {
      Types types;
      for (const auto& event : transaction.books().events_after(0, 0, 100, 1 << 20))
        types.push_back(event.type);
      return types;
    });
  }

  const freehold::Reconciliation compared_ = reservations_at_product();
  freehold::ScratchDatabase database_;
};

TEST_F(ReconcileReservations, what_belongs_together_is_left_alone) {
  EXPECT_EQ(sent_for(a_confirmed_order(), "sold"), Types{});
  EXPECT_EQ(sent_for(OrderId::make(), "released"), Types{});
  const OrderId rejected = an_order();
  write([&](SqlTransaction& t) { reject(t, rejected, "out_of_stock"); });
  EXPECT_EQ(sent_for(rejected, std::nullopt), Types{});
  EXPECT_EQ(sent_for(rejected, "released"), Types{});
}

TEST_F(ReconcileReservations, an_order_that_a_saga_is_at_work_on_is_left_to_it) {
  const OrderId asked = a_confirmed_order();
  write([&](SqlTransaction& t) { EXPECT_TRUE(ask_cancellation(t, asked)); });
  EXPECT_EQ(claim(asked), "under_way");
  const OrderId pending = an_order();
  for (const State& there : {State{}, State{"held"}, State{"sold"}, State{"released"}}) {
    EXPECT_EQ(sent_for(pending, there), Types{});
    EXPECT_EQ(sent_for(asked, there), Types{});
  }
}

TEST_F(ReconcileReservations, what_is_held_for_no_order_or_an_ended_one_is_given_back) {
  const Types given_back{"product.release_stock.v1"};
  const OrderId cancelled = a_confirmed_order();
  write([&](SqlTransaction& t) { cancel(t, cancelled); });
  for (const char* there : {"held", "sold"}) {
    EXPECT_EQ(sent_for(OrderId::make(), there), given_back);
    EXPECT_EQ(sent_for(cancelled, there), given_back);
  }
}

TEST_F(ReconcileReservations, a_confirmed_order_gets_what_it_lacks) {
  EXPECT_EQ(sent_for(a_confirmed_order(), "held"), Types{"product.sell_stock.v1"});
  EXPECT_EQ(sent_for(a_confirmed_order(), std::nullopt),
            (Types{"product.reserve_stock.v1", "product.sell_stock.v1"}));
}

TEST_F(ReconcileReservations, an_order_whose_stock_was_given_back_is_cancelled) {
  for (const char* there : {"released", "returned"}) {
    const OrderId id = a_confirmed_order();
    EXPECT_EQ(sent_for(id, there), Types{"product.release_stock.v1"});
    EXPECT_EQ(claim(id), "under_way");
  }
}

TEST_F(ReconcileReservations, an_order_that_was_changed_since_it_was_compared_is_left_alone) {
  const OrderId id = a_confirmed_order();
  const auto remedy = compared_.judge(id.text(), claim(id), "held");
  write([&](SqlTransaction& t) { EXPECT_TRUE(ask_cancellation(t, id)); });
  EXPECT_EQ(sent_by(remedy.value()), Types{});
}

TEST_F(ReconcileReservations, pages_go_on_behind_the_last_key) {
  const OrderId first = an_order();
  const OrderId second = an_order();
  database_.read([&](SqlTransaction& transaction) {
    const auto page = compared_.here(transaction, "", 1).value();
    EXPECT_EQ(page.size(), 1U);
    EXPECT_EQ(page.at(0).key, first.text());
    const auto next = compared_.here(transaction, first.text(), 1).value();
    EXPECT_EQ(next.at(0).key, second.text());
    EXPECT_TRUE(compared_.here(transaction, second.text(), 1).value().empty());
    EXPECT_FALSE(compared_.here(transaction, "no id", 1));
    return 0;
  });
}

}  // namespace
}  // namespace order
