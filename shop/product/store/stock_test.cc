// SPDX-License-Identifier: Apache-2.0
#include "shop/product/store/stock.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "freehold/events/event.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/scratch_database.h"
#include "shop/product/store/migrations.h"
#include "shop/product/store/products.h"

namespace product {
namespace {

using freehold::Result, freehold::SqlTransaction;

ReservationId a_reservation() {
  return ReservationId::make();
}

class Stock : public testing::Test {
 protected:
  Stock() {
    freehold::set_own_service("product");
    database_.migrate(migrations());
  }

  ProductId a_product(std::int64_t on_hand) {
    const ProductState product{.id = ProductId::make(),
                               .sku = ProductId::make().text(),
                               .name = "Tea",
                               .price = {450, "EUR"},
                               .version = 1};
    EXPECT_TRUE(database_.write([&](SqlTransaction& t) -> Result<> {
      FREEHOLD_TRY(insert(t, product));
      begin_stock(t, product.id, on_hand);
      return {};
    }));
    return product.id;
  }
  Result<> reserve(ReservationId id, std::vector<Line> lines) {
    return database_.write([&](SqlTransaction& t) { return hold(t, id, lines); });
  }
  bool give_back(ReservationId id) {
    bool anything = false;
    EXPECT_TRUE(database_.write([&](SqlTransaction& t) -> Result<> {
      anything = release(t, id);
      return {};
    }));
    return anything;
  }
  Result<> turn_into_sold(ReservationId id) {
    return database_.write([&](SqlTransaction& t) -> Result<> {
      sell(t, id);
      return {};
    });
  }
  StockView now(ProductId id) {
    return *database_.read([id](SqlTransaction& t) { return find_stock(t, id); });
  }

  freehold::ScratchDatabase database_;
};

TEST_F(Stock, a_reservation_holds_units_until_they_are_sold) {
  const auto tea = a_product(10);
  const auto id = a_reservation();
  ASSERT_TRUE(reserve(id, {{tea, 3}}));
  EXPECT_EQ(now(tea).available, 7);
  EXPECT_EQ(now(tea).on_hand, 10);
  ASSERT_TRUE(turn_into_sold(id));
  EXPECT_EQ(now(tea).available, 7);
  EXPECT_EQ(now(tea).on_hand, 7);
  EXPECT_EQ(now(tea).sold, 3);
  EXPECT_EQ(now(tea).reserved, 0);
}

TEST_F(Stock, all_lines_are_reserved_or_none) {
  const auto tea = a_product(10), cup = a_product(1);
  EXPECT_TRUE(reserve(a_reservation(), {{tea, 3}, {cup, 2}}).error().is(errors::out_of_stock));
  EXPECT_TRUE(reserve(a_reservation(), {{tea, 3}, {ProductId::make(), 1}})
                  .error()
                  .is(errors::unknown_product));
  EXPECT_EQ(now(tea).reserved, 0);
  EXPECT_EQ(now(cup).reserved, 0);
}

TEST_F(Stock, each_command_has_its_effect_once) {
  const auto tea = a_product(10);
  const auto id = a_reservation();
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(reserve(id, {{tea, 3}}));
  EXPECT_EQ(now(tea).reserved, 3);
  for (int i = 0; i < 2; ++i) ASSERT_TRUE(turn_into_sold(id));
  EXPECT_EQ(now(tea).sold, 3);
  EXPECT_TRUE(give_back(id));
  EXPECT_FALSE(give_back(id));
  EXPECT_EQ(now(tea).available, 10);
  EXPECT_EQ(now(tea).returned, 3);
}

TEST_F(Stock, a_repeated_reserve_is_no_refusal_when_it_took_the_last_units) {
  const auto tea = a_product(3);
  const auto id = a_reservation();
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(reserve(id, {{tea, 3}}));
  EXPECT_EQ(now(tea).reserved, 3);
}

TEST_F(Stock, a_release_that_comes_first_refuses_the_reserve) {
  const auto tea = a_product(10);
  const auto id = a_reservation();
  EXPECT_FALSE(give_back(id));
  EXPECT_TRUE(reserve(id, {{tea, 1}}).error().is(errors::reservation_released));
  EXPECT_EQ(now(tea).reserved, 0);
}

TEST_F(Stock, a_released_reservation_is_forgotten_when_no_command_of_it_can_come_any_more) {
  freehold::ManualClock clock;
  const ProductId tea = a_product(5);
  const auto held = a_reservation(), sold = a_reservation(), released = a_reservation();
  EXPECT_TRUE(reserve(held, {{tea, 1}}));
  EXPECT_TRUE(reserve(sold, {{tea, 1}}));
  EXPECT_TRUE(turn_into_sold(sold));
  EXPECT_TRUE(reserve(released, {{tea, 1}}));
  EXPECT_TRUE(give_back(released));
  clock.advance(released_kept);
  EXPECT_FALSE(give_back(a_reservation()));
  EXPECT_TRUE(reserve(released, {{tea, 1}}).error().is(errors::reservation_released));
  clock.advance(std::chrono::microseconds{1});
  EXPECT_FALSE(give_back(a_reservation()));
  EXPECT_TRUE(reserve(released, {{tea, 1}})) << "forgotten, so it is a new one";
  EXPECT_TRUE(give_back(held)) << "however old it is";
  EXPECT_TRUE(give_back(sold));
}

TEST_F(Stock, to_sell_what_is_not_held_is_a_fault) {
  EXPECT_FALSE(turn_into_sold(a_reservation()));
  const auto tea = a_product(10);
  const auto id = a_reservation();
  ASSERT_TRUE(reserve(id, {{tea, 1}}));
  give_back(id);
  EXPECT_FALSE(turn_into_sold(id));
  EXPECT_EQ(now(tea).sold, 0);
}

// As a log that went back sends them anew.
TEST_F(Stock, a_repeat_of_all_commands_after_a_return_changes_nothing) {
  const auto tea = a_product(10);
  const auto id = a_reservation();
  ASSERT_TRUE(reserve(id, {{tea, 2}}));
  ASSERT_TRUE(turn_into_sold(id));
  ASSERT_TRUE(give_back(id));
  const auto once = now(tea);
  EXPECT_TRUE(reserve(id, {{tea, 2}}).error().is(errors::reservation_released));
  EXPECT_TRUE(turn_into_sold(id));
  EXPECT_FALSE(give_back(id));
  EXPECT_EQ(now(tea).on_hand, once.on_hand);
  EXPECT_EQ(now(tea).reserved, 0);
  EXPECT_EQ(now(tea).sold, 2);
  EXPECT_EQ(now(tea).returned, 2);
}

TEST_F(Stock, a_withdrawn_product_takes_no_new_reservation_and_old_ones_go_on) {
  const auto tea = a_product(10);
  const auto id = a_reservation();
  ASSERT_TRUE(reserve(id, {{tea, 2}}));
  const auto put = [&](Sale sale) {
    return database_.write([&](SqlTransaction& t) -> Result<> {
      auto product = *find(t, tea);
      product.sale = sale;
      ++product.version;
      return replace(t, product);
    });
  };
  ASSERT_TRUE(put(Sale::withdrawn));
  EXPECT_TRUE(reserve(a_reservation(), {{tea, 1}}).error().is(errors::product_withdrawn));
  EXPECT_TRUE(turn_into_sold(id));
  ASSERT_TRUE(put(Sale::on_sale));  // which no route does: a repair
  EXPECT_TRUE(reserve(a_reservation(), {{tea, 1}}));
}

TEST_F(Stock, an_adjustment_cannot_take_what_is_reserved) {
  const auto tea = a_product(5);
  ASSERT_TRUE(reserve(a_reservation(), {{tea, 4}}));
  const auto adjusted = [&](std::int64_t delta) {
    return database_.write([&](SqlTransaction& t) { return adjust(t, tea, delta, "count"); });
  };
  EXPECT_TRUE(adjusted(-1));
  EXPECT_TRUE(adjusted(-1).error().is(errors::stock_below_reserved));
  EXPECT_TRUE(adjusted(10));
  EXPECT_EQ(now(tea).available, 10);
}

// initial + Σ adjustments = on_hand + sold - returned, and 0 ≤ reserved ≤ on_hand, after any
// sequence of commands.
RC_GTEST_FIXTURE_PROP(Stock, the_sum_of_stock_is_conserved, ()) {
  const auto initial = *rc::gen::inRange(0, 20);
  const auto tea = a_product(initial);
  std::vector<ReservationId> ids;
  for (int i = 0; i < 4; ++i) ids.push_back(a_reservation());
  std::int64_t adjustments = 0;
  for (const int step : *rc::gen::container<std::vector<int>>(rc::gen::inRange(0, 40))) {
    const auto id = ids[static_cast<std::size_t>(step % 4)];
    switch (step / 4 % 5) {
      case 0:
      case 1:
        (void)reserve(id, {{tea, 1 + step % 7}});
        break;
      case 2:
        (void)turn_into_sold(id);
        break;
      case 3:
        give_back(id);
        break;
      default:
        if (database_.write([&](SqlTransaction& t) { return adjust(t, tea, step % 9 - 4, "?"); }))
          adjustments += step % 9 - 4;
    }
    const StockView stock = now(tea);
    RC_ASSERT(initial + adjustments == stock.on_hand + stock.sold - stock.returned);
    RC_ASSERT(stock.reserved >= 0);
    RC_ASSERT(stock.reserved <= stock.on_hand);
    RC_ASSERT(stock.available == stock.on_hand - stock.reserved);
  }
}

TEST(StockMigrations, what_was_withdrawn_before_the_stock_said_so_takes_no_reservation) {
  freehold::set_own_service("product");
  freehold::ScratchDatabase database;
  database.migrate(migrations().first(5));
  const ProductState tea{.id = ProductId::make(),
                         .sku = "TEA",
                         .name = "Tea",
                         .price = {450, "EUR"},
                         .sale = Sale::withdrawn,
                         .version = 2};
  ASSERT_TRUE(database.write([&](SqlTransaction& t) -> Result<> {
    FREEHOLD_TRY(insert(t, tea));
    begin_stock(t, tea.id, 10);
    return {};
  }));
  database.migrate(migrations().subspan(5));
  const auto reserved =
      database.write([&](SqlTransaction& t) { return hold(t, a_reservation(), {{tea.id, 1}}); });
  EXPECT_TRUE(reserved.error().is(errors::product_withdrawn));
}

}  // namespace
}  // namespace product
