// SPDX-License-Identifier: Apache-2.0
#include "shop/order/store/orders.h"

#include <gtest/gtest.h>

#include <any>

#include "freehold/base/errors.h"
#include "freehold/testing/scratch_database.h"
#include "shop/order/store/migrations.h"

namespace order {
namespace {

using freehold::Result, freehold::SqlTransaction;

class Orders : public testing::Test {
 protected:
  Orders() { database_.migrate(migrations()); }

  // A pending order of this customer, in the database.
  Order an_order(user::UserId customer = user::UserId::make()) {
    Order order{.id = OrderId::make(),
                .customer_id = customer,
                .reason = nullptr,
                .lines = {{product::ProductId::make(), "Tea", 2, 450, 900, 3}},
                .total = {900, "EUR"},
                .placed_at = freehold::now()};
    write([&](SqlTransaction& t) { insert(t, order, {R"({"city":"Leeds"})"}); });
    return order;
  }

  void write(const std::function<void(SqlTransaction&)>& body) {
    ASSERT_TRUE(database_.write([&](SqlTransaction& transaction) -> Result<> {
      body(transaction);
      return {};
    }));
  }
  Order now(OrderId id) {
    return *database_.read([id](SqlTransaction& transaction) { return find(transaction, id); });
  }

  freehold::ScratchDatabase database_;
};

TEST_F(Orders, an_order_is_read_as_it_was_written) {
  const Order written = an_order();
  const Order read = now(written.id);
  EXPECT_EQ(read.customer_id, written.customer_id);
  EXPECT_EQ(read.status, Status::pending);
  ASSERT_EQ(read.lines.size(), 1U);
  EXPECT_EQ(read.lines[0].name, "Tea");
  EXPECT_EQ(read.lines[0].line_total_minor, 900);
  EXPECT_EQ(read.total, written.total);
  EXPECT_EQ(read.placed_at, written.placed_at);
  EXPECT_EQ(read.delivery_address->text, R"({"city":"Leeds"})");
  EXPECT_EQ(read.history.size(), 1U);
}

TEST_F(Orders, the_history_tells_each_change_of_status_once) {
  const OrderId id = an_order().id;
  for (int i = 0; i < 2; ++i) write([&](SqlTransaction& t) { EXPECT_TRUE(confirm(t, id)); });
  for (int i = 0; i < 2; ++i) write([&](SqlTransaction& t) { cancel(t, id); });
  const Order order = now(id);
  ASSERT_EQ(order.history.size(), 3U);
  EXPECT_EQ(order.history[1].status, Status::confirmed);
  EXPECT_EQ(order.history[2].status, Status::cancelled);
  EXPECT_EQ(order.status, Status::cancelled);
}

TEST_F(Orders, a_cancellation_that_was_asked_for_first_keeps_the_order_from_being_confirmed) {
  const Order order = an_order();
  write([&](SqlTransaction& t) { EXPECT_TRUE(ask_cancellation(t, order.id)); });
  Result<> confirmed;  // by the run that counts; an earlier one may have assumed too much
  write([&](SqlTransaction& t) { confirmed = confirm(t, order.id); });
  ASSERT_FALSE(confirmed);
  EXPECT_TRUE(confirmed.error().is(errors::cancellation_asked));
  EXPECT_EQ(now(order.id).status, Status::pending);
}

TEST_F(Orders, a_rejected_order_stays_rejected) {
  const OrderId id = an_order().id;
  write([&](SqlTransaction& t) { reject(t, id, "out_of_stock"); });
  write([&](SqlTransaction& t) { cancel(t, id); });
  write([&](SqlTransaction& t) {
    EXPECT_TRUE(ask_cancellation(t, id).error().is(errors::already_rejected));
  });
  const Order order = now(id);
  EXPECT_EQ(order.status, Status::rejected);
  EXPECT_EQ(order.reason.value(), "out_of_stock");
}

TEST_F(Orders, only_a_pending_order_is_rejected) {
  const OrderId confirmed = an_order().id;
  write([&](SqlTransaction& t) { EXPECT_TRUE(confirm(t, confirmed)); });
  const OrderId cancelled = an_order().id;
  write([&](SqlTransaction& t) { cancel(t, cancelled); });
  for (const OrderId id : {confirmed, cancelled})
    write([&](SqlTransaction& t) { reject(t, id, "out_of_stock"); });
  EXPECT_EQ(now(confirmed).status, Status::confirmed);
  EXPECT_EQ(now(cancelled).status, Status::cancelled);
}

TEST_F(Orders, pages_show_a_customers_orders_newest_first_and_nobody_elses) {
  const auto customer = user::UserId::make();
  std::vector<OrderId> placed;
  for (int i = 0; i < 5; ++i) placed.push_back(an_order(customer).id);
  an_order();
  const auto page_of = [&](std::optional<user::UserId> whose, std::optional<OrderId> before) {
    return database_.read([&](SqlTransaction& t) { return page(t, whose, before, {.rows = 3}); });
  };
  const auto first = page_of(customer, std::nullopt);
  ASSERT_EQ(first.rows.size(), 3U);
  EXPECT_FALSE(first.is_last);
  const auto second = page_of(customer, first.rows.back().id);
  ASSERT_EQ(second.rows.size(), 2U);
  EXPECT_TRUE(second.is_last);
  EXPECT_GT(first.rows[0].id, first.rows[1].id);
  EXPECT_GT(first.rows[2].id, second.rows[0].id);
  EXPECT_FALSE(first.rows[0].delivery_address);
  EXPECT_EQ(page_of(std::nullopt, std::nullopt).rows.size(), 3U);
}

TEST_F(Orders, a_page_may_begin_behind_an_id_that_is_no_orders) {
  const auto customer = user::UserId::make();
  an_order(customer);
  an_order(customer);
  const auto found_behind = [&](OrderId id) {
    return database_.read([&](SqlTransaction& t) { return page(t, customer, id, {}); }).rows.size();
  };
  const auto nobodys = OrderId::make();
  EXPECT_EQ(found_behind(nobodys), 2U);  // takes longer than a tick: later ids are in order
  an_order(customer);
  EXPECT_EQ(found_behind(nobodys), 2U);
  EXPECT_EQ(found_behind(OrderId::make()), 3U);
}

TEST_F(Orders, a_page_of_long_orders_ends_by_its_bytes_and_the_next_goes_on_behind_it) {
  const auto customer = user::UserId::make();
  const OrderLine line{product::ProductId::make(), std::string(200, 'x'), 1, 1, 1, 1};
  write([&](SqlTransaction& t) {
    for (int i = 0; i < 50; ++i)
      insert(t,
             {.id = OrderId::make(),
              .customer_id = customer,
              .reason = nullptr,
              .lines = std::vector<OrderLine>(100, line),
              .total = {100, "EUR"}},
             {"null"});
  });
  std::size_t seen = 0, pages = 0;
  for (std::optional<OrderId> before;; ++pages) {
    const auto some =
        database_.read([&](SqlTransaction& t) { return page(t, customer, before, {}); });
    EXPECT_LT(freehold::to_json(some.rows).size(), 300U * 1024U);
    seen += some.rows.size();
    if (some.is_last) break;
    before = some.rows.back().id;
  }
  EXPECT_EQ(seen, 50U);
  EXPECT_GT(pages, 4U);
}

TEST_F(Orders, a_forgotten_customers_orders_keep_no_address) {
  const auto customer = user::UserId::make();
  const OrderId of_customer = an_order(customer).id, of_another = an_order().id;
  write([&](SqlTransaction& t) { forget_customer(t, customer); });
  EXPECT_FALSE(now(of_customer).delivery_address);
  EXPECT_TRUE(now(of_another).delivery_address);
}

TEST_F(Orders, a_forgotten_customer_places_no_more) {
  const auto erased = user::UserId::make();
  write([&](SqlTransaction& t) {
    EXPECT_TRUE(check_not_forgotten(t, erased));
    forget_customer(t, erased);
    forget_customer(t, erased);  // the event comes again after a restore
    EXPECT_TRUE(check_not_forgotten(t, erased).error().is(freehold::errors::unauthenticated));
    EXPECT_TRUE(check_not_forgotten(t, user::UserId::make()));
  });
}

TEST_F(Orders, a_change_of_status_wakes_those_who_watch_the_order) {
  const OrderId id = an_order().id;
  auto watch = database_->watches().begin(id.text());
  write([&](SqlTransaction& t) { EXPECT_TRUE(confirm(t, id)); });
  const auto begin = freehold::SteadyClock::now();
  database_.run(watch.next(freehold::deadline_in(std::chrono::seconds{60})));
  EXPECT_LT(freehold::SteadyClock::now() - begin, std::chrono::seconds{30});
}

TEST_F(Orders, what_is_told_of_a_settled_order_makes_it_what_is_in_the_table) {
  const auto expect_told = [&](auto change) {
    const OrderId id = an_order().id;
    const Order pending = now(id);
    auto watch = database_->watches().begin(id.text());
    write([&](SqlTransaction& t) { change(t, id); });
    const auto news = database_.run(watch.next(freehold::deadline_in(std::chrono::seconds{60})));
    const auto* told = std::any_cast<Settlement>(&news);
    ASSERT_TRUE(told);
    EXPECT_EQ(freehold::to_json(settled(pending, *told)), freehold::to_json(now(id)));
  };
  expect_told([](SqlTransaction& t, OrderId id) { EXPECT_TRUE(confirm(t, id)); });
  expect_told([](SqlTransaction& t, OrderId id) { reject(t, id, "out_of_stock"); });
}

}  // namespace
}  // namespace order
