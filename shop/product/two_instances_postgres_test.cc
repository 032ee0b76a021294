// SPDX-License-Identifier: Apache-2.0
//
// Two instances take commands for the same few products at the same time.
#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <string>
#include <vector>

#include "freehold/base/random.h"
#include "freehold/database/migrations.h"
#include "freehold/database/postgres/scratch_cluster.h"
#include "freehold/testing/postgres_instance.h"
#include "shop/product/reserve_stock.h"
#include "shop/product/store/migrations.h"
#include "shop/product/store/products.h"
#include "shop/product/store/stock.h"

namespace product {
namespace {

using freehold::Consumer, freehold::PostgresInstance, freehold::Result, freehold::ScratchCluster,
    freehold::SqlTransaction;

constexpr int products = 6;
constexpr int orders = 150;  // of each instance
constexpr int stock = 1'000'000;

class TwoInstances : public testing::Test {
 public:
  TwoInstances() : name_(cluster().create_database()) {
    freehold::set_own_service("product");
    one_ = std::make_unique<PostgresInstance>(cluster().url(name_), 2);
    two_ = std::make_unique<PostgresInstance>(cluster().url(name_), 2);
    freehold::Commands commands{"product"};
    accept_stock_commands(commands);
    consumer_ = std::make_unique<Consumer>(commands.from("order"));
    EXPECT_TRUE(migrate(**one_, migrations()));
    for (int i = 0; i < products; ++i) add_product();
  }
  ~TwoInstances() override {
    one_.reset();
    two_.reset();
    cluster().drop_database(name_);
  }

 protected:
  static ScratchCluster& cluster() { return ScratchCluster::shared(); }

  void add_product() {
    const ProductState product{.id = ProductId::make(),
                               .sku = ProductId::make().text(),
                               .name = "Tea",
                               .price = {450, "EUR"},
                               .version = 1};
    EXPECT_TRUE((**one_).write_now([&](SqlTransaction& transaction) -> Result<> {
      FREEHOLD_TRY(insert(transaction, product));
      begin_stock(transaction, product.id, stock);
      return {};
    }));
    ids_.push_back(product.id);
  }
  std::vector<Line> some_lines() const {
    std::vector<Line> lines;
    const std::uint64_t first = freehold::Random::current().below(products);
    const std::uint64_t step = freehold::Random::current().below(2) == 0 ? 1 : products - 1;
    lines.reserve(3);
    for (std::uint64_t i = 0; i < 3; ++i) lines.push_back({ids_[(first + i * step) % products], 1});
    return lines;
  }

  // As the consumer of commands does it.
  template <freehold::Command C>
  void take(PostgresInstance& instance, const C& command) {
    auto done = std::make_shared<std::promise<Result<>>>();
    outcomes_.push_back(done->get_future());
    const auto decoded = consumer_->decode(C::type, freehold::to_json(command));
    (*instance).submit(freehold::Urgency::consumer,
                       {.body = [this, decoded, key = command.reservation.text()](
                                    SqlTransaction& transaction) -> Result<> {
                          consumer_->apply(transaction, decoded,
                                           {.source = "order",
                                            .type = C::type,
                                            .subject = key,
                                            .partition_key = key,
                                            .request_id = "saga/1"});
                          return {};
                        },
                        .done = [done](Result<> outcome) { done->set_value(std::move(outcome)); },
                        .names_locks =
                            [this, decoded](freehold::RowLocks& locks) {
                              consumer_->name_locks(locks, decoded, C::type);
                            }});
  }

  void expect_all_done() {
    for (auto& outcome : outcomes_) {
      ASSERT_EQ(outcome.wait_for(std::chrono::seconds{60}), std::future_status::ready);
      const Result<> done = outcome.get();
      EXPECT_TRUE(done) << done.error().text();
    }
    outcomes_.clear();
  }

  const std::string name_;
  std::vector<ProductId> ids_;
  std::unique_ptr<PostgresInstance> one_;
  std::unique_ptr<PostgresInstance> two_;
  std::unique_ptr<Consumer> consumer_;
  std::vector<std::future<Result<>>> outcomes_;
};

TEST_F(TwoInstances, never_wait_for_stock_in_a_circle) {
  std::vector<ReservationId> reservations;
  for (int i = 0; i < orders; ++i)
    for (PostgresInstance* instance : {one_.get(), two_.get()}) {
      reservations.push_back(ReservationId::make());
      take(*instance, ReserveStock{reservations.back(), some_lines()});
    }
  expect_all_done();
  for (std::size_t i = 0; i < reservations.size(); ++i) {
    PostgresInstance& instance = i % 2 == 0 ? *one_ : *two_;
    if (i % 10 < 8)
      take(instance, SellStock{reservations[i]});
    else
      take(instance, ReleaseStock{reservations[i]});
  }
  expect_all_done();
  EXPECT_EQ((**one_).lane_statistics().races + (**two_).lane_statistics().races, 0U);
  EXPECT_EQ(cluster().run(name_, "select sum(reserved) from stock"), "0");
  EXPECT_EQ(cluster().run(name_, "select sum(sold) from stock"),
            std::to_string(orders * 2 * 3 * 8 / 10));
}

TEST_F(TwoInstances, reserve_what_was_given_back_before_in_the_same_batch) {
  const Line all{ids_.front(), stock};
  const ReservationId former = ReservationId::make();
  take(*one_, ReserveStock{former, {all}});
  expect_all_done();
  std::promise<void> go;
  std::shared_future<void> gone = go.get_future().share();
  (**one_).submit(freehold::Urgency::consumer, {.body = [gone](SqlTransaction&) -> Result<> {
                                                  gone.wait();
                                                  return {};
                                                },
                                                .done = [](const Result<>&) {}});
  take(*one_, ReleaseStock{former});
  take(*one_, ReserveStock{ReservationId::make(), {all}});
  go.set_value();
  expect_all_done();
  EXPECT_EQ(cluster().run(name_, "select max(reserved) from stock"), std::to_string(stock));
}

}  // namespace
}  // namespace product
