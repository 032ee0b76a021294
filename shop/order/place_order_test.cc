// SPDX-License-Identifier: Apache-2.0
//
// The placing saga's stories. Before each line the saga is replayed from its journal, so every
// story is a crash test at every step.
#include "shop/order/place_order.h"

#include <gtest/gtest.h>

#include "freehold/testing/saga_story.h"
#include "shop/order/cancel_order.h"
#include "shop/order/store/migrations.h"
#include "shop/order/store/orders.h"

namespace order {
namespace {

using freehold::SagaStory, freehold::SqlTransaction;
using namespace std::chrono_literals;

const Order placed{.id = OrderId::make(),
                   .customer_id = user::UserId::make(),
                   .reason = nullptr,
                   .total = {900, "EUR"}};
const std::vector<product::Line> lines{{product::ProductId::make(), 2}};
const product::ReservationId reservation{placed.id.bytes};

SagaStory an_order() {
  return SagaStory{
      place_order, migrations(), Placement{placed.id, lines},
      [](SqlTransaction& transaction) { insert(transaction, placed, {R"("1 Long Lane")"}); }};
}

auto the_order_is(Status status) {
  return [status](SqlTransaction& transaction) {
    return find(transaction, placed.id)->status == status;
  };
}

TEST(PlaceOrder, a_reserved_order_is_confirmed_and_its_stock_sold) {
  an_order()
      .expect(product::ReserveStock{reservation, lines})
      .answered(product::StockReserved{reservation})
      .expect_step("confirm")
      .expect(product::SellStock{reservation})
      .expect_that("the order is confirmed", the_order_is(Status::confirmed))
      .ends();
}

TEST(PlaceOrder, an_order_for_more_than_there_is_is_rejected_and_reserves_nothing) {
  an_order()
      .expect<product::ReserveStock>()
      .refused(product::errors::out_of_stock)
      .expect_step("reject")
      .expect_that("the reason is kept",
                   [](SqlTransaction& transaction) {
                     const auto order = find(transaction, placed.id);
                     return order->status == Status::rejected &&
                            order->reason.value() == "out_of_stock";
                   })
      .ends();
}

TEST(PlaceOrder, an_order_whose_reservation_gets_no_answer_is_released_and_rejected) {
  an_order()
      .expect<product::ReserveStock>()
      .time_passes(24h)
      .expect(product::ReleaseStock{reservation})
      .expect_step("reject")
      .expect_that("the order is rejected", the_order_is(Status::rejected))
      .ends();
}

TEST(PlaceOrder, a_cancellation_before_the_pivot_releases_the_stock) {
  an_order()
      .expect<product::ReserveStock>()
      .meanwhile([](SqlTransaction& transaction) {
        EXPECT_TRUE(ask_cancellation(transaction, placed.id));
      })
      .answered(product::StockReserved{reservation})
      .expect_step_refused("confirm", errors::cancellation_asked)
      .expect(product::ReleaseStock{reservation})
      .expect_step("cancel")
      .expect_that("the order is cancelled", the_order_is(Status::cancelled))
      .ends();
}

TEST(CancelOrder, gives_the_stock_back_and_then_marks_the_order) {
  SagaStory{cancel_order, migrations(), CancelOrder{placed.id},
            [](SqlTransaction& transaction) {
              insert(transaction, placed, {R"("1 Long Lane")"});
              EXPECT_TRUE(confirm(transaction, placed.id));
            }}
      .expect(product::ReleaseStock{reservation})
      .answered(product::StockReleased{reservation, true})
      .expect_step("cancel")
      .expect_that("the order is cancelled", the_order_is(Status::cancelled))
      .ends();
}

}  // namespace
}  // namespace order
