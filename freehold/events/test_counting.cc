// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/test_counting.h"

#include <stdexcept>

#include "freehold/base/assert.h"

namespace freehold {
namespace {

constexpr sql::Change<void(std::string, std::int64_t)> insert_kept{
    "insert into kept (box, number) values ($1, $2)"};
constexpr sql::Query<KeptRow()> all_kept{"select place, box, number from kept order by place"};

}  // namespace

void keep(SqlTransaction& transaction, const Counted& event, const Delivery&) {
  transaction.run(insert_kept, event.box, event.number);
  if (event.number == bad_number) throw std::runtime_error("a bad number");
}

void CountingTest::SetUp() {
  set_own_service("counter");
  bad_number = -1;
  start_counter();
  start_keeper();
}

void CountingTest::TearDown() {
  keeper_.reset();
  counter_.reset();
}

void CountingTest::start_counter(std::uint16_t port) {
  counter_.reset();
  counter_ = std::make_unique<TestService>(
      TestServiceOptions{.name = "counter",
                         .directory = directory_.path() / "counter",
                         .partitions = partitions_,
                         .port = port,
                         .log = {.wait_max = std::chrono::milliseconds{50}}});
}

void CountingTest::start_keeper() {
  keeper_.reset();
  keeper_ = std::make_unique<TestService>(
      TestServiceOptions{.name = "keeper", .directory = directory_.path() / "keeper"});
  keeper_->script(
      "create table if not exists kept (place integer primary key, box text not null,"
      " number integer not null)");
}

void CountingTest::count(const std::string& box, std::int64_t first, std::int64_t last) {
  const Result<> done = counter_->write([&](SqlTransaction& transaction) -> Result<> {
    for (auto number = first; number <= last; ++number) append(transaction, Counted{box, number});
    return {};
  });
  FREEHOLD_ASSERT(done, done.error().text().c_str());
}

Consumer CountingTest::keeping(BeginAt begin) const {
  Consumer consumer{"keeping", "counter", begin};
  consumer.on(keep);
  return consumer;
}

ConsumerLoop& CountingTest::keep_counting(ConsumerOptions options) {
  return keeper_->consume(keeping(), counter_->address(), std::move(options));
}

std::vector<KeptRow> CountingTest::kept() {
  return keeper_->read<std::vector<KeptRow>>(
      [](SqlTransaction& transaction) { return transaction.all(all_kept); });
}

std::vector<std::int64_t> CountingTest::numbers(const std::string& box) {
  std::vector<std::int64_t> numbers;
  for (const KeptRow& row : kept())
    if (row.box == box) numbers.push_back(row.number);
  return numbers;
}

std::size_t CountingTest::kept_count() {
  return kept().size();
}

std::vector<AsideEvent> CountingTest::aside() {
  return keeper_->read<std::vector<AsideEvent>>(
      [](SqlTransaction& transaction) { return transaction.books().aside_all(1000); });
}

bool CountingTest::comes_to(ConsumerLoop& loop, ConsumerState state) {
  return comes_true([&] { return loop.status().state == state; });
}

}  // namespace freehold
