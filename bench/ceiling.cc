// SPDX-License-Identifier: Apache-2.0
//
// bench_ceiling: the most that this machine can do. The rows of an order in four commits, by one
// writer thread for each of two databases, many transactions in one commit, queues in memory
// between them; no HTTP, no JSON, no saga, no feed. Prints a CeilingReport.
#include <CLI/CLI.hpp>
#include <array>
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "bench/ceiling_rows.h"
#include "bench/histogram.h"
#include "bench/postgres_rows.h"
#include "freehold/base/random.h"
#include "freehold/schema/json.h"

namespace bench {
namespace {

using freehold::Deadline, freehold::SteadyClock;

struct CeilingReport {
  double orders_per_s = 0;
  double p50_ms = 0;  // from wanted to confirmed
  double p99_ms = 0;
  std::int64_t orders = 0;  // written in all of its time
};
BOOST_DESCRIBE_STRUCT(CeilingReport, (), (orders_per_s, p50_ms, p99_ms, orders))

struct Options {
  std::string directory;
  std::string order_url;  // with product_url, in place of the directory
  std::string product_url;
  std::size_t products = 1000;
  std::size_t in_flight = 2048;
  std::size_t batch_max = 256;  // as the lane's
  int warm_up_ms = 500;
  int counted_ms = 2000;
};

// What waits for one writer: orders that were begun come before new ones.
class Queue {
 public:
  void put(Orders begun, Orders wanted) {
    const std::scoped_lock lock{mutex_};
    for (BareOrder& order : begun) begun_.push_back(std::move(order));
    for (BareOrder& order : wanted) wanted_.push_back(std::move(order));
    changed_.notify_one();
  }

  void close() {
    const std::scoped_lock lock{mutex_};
    closed_ = true;
    changed_.notify_one();
  }

  // Waits for work; at most `orders_max` of both. False: it was closed and is empty.
  bool take(std::size_t orders_max, Orders& begun, Orders& wanted) {
    std::unique_lock lock{mutex_};
    changed_.wait(lock, [this] { return closed_ || !begun_.empty() || !wanted_.empty(); });
    begun = front_of(begun_, orders_max);
    wanted = front_of(wanted_, orders_max - begun.size());
    return !begun.empty() || !wanted.empty();
  }

 private:
  static Orders front_of(Orders& from, std::size_t orders_max) {
    if (from.size() <= orders_max) return std::exchange(from, {});
    const auto end = from.begin() + static_cast<std::ptrdiff_t>(orders_max);
    Orders front{std::make_move_iterator(from.begin()), std::make_move_iterator(end)};
    from.erase(from.begin(), end);
    return front;
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  Orders begun_;
  Orders wanted_;
  bool closed_ = false;
};

std::unique_ptr<Rows> order_rows(const Options& options) {
  if (!options.order_url.empty()) return std::make_unique<PostgresOrderRows>(options.order_url);
  return std::make_unique<OrderRows>(options.directory + "/order");
}

std::unique_ptr<Rows> product_rows(const Options& options) {
  if (!options.product_url.empty())
    return std::make_unique<PostgresProductRows>(options.product_url, options.products);
  return std::make_unique<ProductRows>(options.directory + "/product", options.products);
}

class Ceiling {
 public:
  explicit Ceiling(const Options& options)
      : options_(options),
        random_(freehold::Random::current().bits()),
        orders_(order_rows(options)),
        products_(product_rows(options)) {}

  CeilingReport run();

 private:
  void write_orders();
  void write_products();
  Orders new_orders(std::size_t count);
  void count(const Orders& confirmed);

  const Options options_;
  freehold::SeededRandom random_;
  const std::unique_ptr<Rows> orders_;
  const std::unique_ptr<Rows> products_;
  Queue of_orders_;    // begun: to be confirmed; wanted: to be accepted
  Queue of_products_;  // begun: to be sold; wanted: to be reserved
  Deadline from_{};
  Deadline until_{};
  Histogram latency_;
  std::int64_t written_ = 0;
};

// Ids grow with time, as the services' do.
Orders Ceiling::new_orders(std::size_t count) {
  Orders orders(count);
  for (BareOrder& order : orders) {
    order.id = freehold::make_id_bytes();
    order.id_text = freehold::to_text(order.id);
    order.product = random_.below(options_.products);
    order.begun = SteadyClock::now();
  }
  return orders;
}

void Ceiling::count(const Orders& confirmed) {
  const Deadline now = SteadyClock::now();
  written_ += static_cast<std::int64_t>(confirmed.size());
  if (now < from_ || now >= until_) return;
  for (const BareOrder& order : confirmed) latency_.record(now - order.begun);
}

void Ceiling::write_orders() {
  Orders replied;
  Orders wanted;
  std::size_t alive = options_.in_flight;
  while (alive > 0 && of_orders_.take(options_.batch_max, replied, wanted)) {
    orders_->write(replied, wanted);
    count(replied);
    const std::size_t confirmed = replied.size();
    of_products_.put(std::move(replied), std::move(wanted));
    if (SteadyClock::now() < until_)
      of_orders_.put({}, new_orders(confirmed));
    else
      alive -= confirmed;
  }
  of_products_.close();
}

void Ceiling::write_products() {
  Orders confirmed;
  Orders wanted;
  while (of_products_.take(options_.batch_max, confirmed, wanted)) {
    products_->write(confirmed, wanted);
    if (!wanted.empty()) of_orders_.put(std::move(wanted), {});
  }
}

CeilingReport Ceiling::run() {
  from_ = freehold::deadline_in(std::chrono::milliseconds{options_.warm_up_ms});
  until_ = from_ + std::chrono::milliseconds{options_.counted_ms};
  of_orders_.put({}, new_orders(options_.in_flight));
  {
    const std::jthread order_writer{[this] { write_orders(); }};
    const std::jthread product_writer{[this] { write_products(); }};
  }
  return {.orders_per_s = static_cast<double>(latency_.count()) * 1000 / options_.counted_ms,
          .p50_ms = latency_.percentile_ms(0.5),
          .p99_ms = latency_.percentile_ms(0.99),
          .orders = written_};
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  bench::Options options;
  CLI::App app{"The rows of an order, written by a bare program."};
  app.add_option("--directory", options.directory);
  app.add_option("--order-url", options.order_url);
  app.add_option("--product-url", options.product_url);
  app.add_option("--products", options.products);
  app.add_option("--in-flight", options.in_flight);
  app.add_option("--warm-up-ms", options.warm_up_ms);
  app.add_option("--counted-ms", options.counted_ms);
  CLI11_PARSE(app, argc, argv);
  std::puts(freehold::to_json(bench::Ceiling{options}.run()).c_str());
}
