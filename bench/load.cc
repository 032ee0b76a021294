// SPDX-License-Identifier: Apache-2.0
#include "bench/load.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <fstream>
#include <memory>
#include <thread>

#include "bench/histogram.h"
#include "bench/http/connections.h"
#include "bench/shopper.h"
#include "freehold/base/clock.h"
#include "freehold/base/errors.h"

namespace bench {

using freehold::Deadline, freehold::Result, freehold::SteadyClock;

namespace {

constexpr std::size_t connections_of_open_loop_max = 2048;
constexpr std::chrono::seconds answered_within{20};
constexpr std::uint64_t shuffle_seed = 1;

struct Counted {
  Tally tally;
  Histogram latency;
};

// What all threads look at.
struct Common {
  Common(const Plan& of, std::vector<std::string> all, const std::vector<double>& weights)
      : plan(of),
        products(std::move(all)),
        popularity(zipf_weights(products.size(), of.zipf)),
        actions(weights) {}

  const Plan& plan;
  const std::vector<std::string> products;
  const Weighted popularity;
  const Weighted actions;  // index into plan.mix
  Deadline begin{};
  Deadline from{};   // what is counted …
  Deadline until{};  // … and when no new request begins
  std::atomic<std::size_t> number = 0;
};

// One thread's share of the load, with connections of its own.
class Worker {
 public:
  Worker(Common& common, std::size_t index)
      : common_(common),
        index_(index),
        random_(freehold::Random::current().bits()),
        connections_({.of_an_address_max = connections_max(), .answered_within = answered_within},
                     [this](std::size_t number, const Shopper::Answered& answer, Deadline now) {
                       go_on(number, answer, now);
                     }),
        shopper_(common.plan, common.products, common.popularity, random_, connections_),
        counted_(common.plan.mix.size()) {}

  Result<> find_services() { return shopper_.find_services(); }
  void run();

  std::vector<Counted>& counted() { return counted_; }
  const std::string& made() const { return made_; }
  std::int64_t unanswered() const { return unanswered_; }
  std::int64_t placed() const { return placed_; }

 private:
  struct UnderWay {
    Errand errand;
    std::size_t kind = 0;  // index into plan.mix
    Deadline intended{};
  };

  bool is_open() const { return common_.plan.per_second > 0; }
  std::size_t threads() const { return static_cast<std::size_t>(common_.plan.threads); }
  std::size_t connections_max() const {
    return is_open() ? connections_of_open_loop_max
                     : static_cast<std::size_t>(common_.plan.clients);
  }

  void one_after_the_other();
  void at_their_times();
  void act_if_there_is_time(std::size_t client, Deadline now);
  void act(std::size_t client, Deadline intended, Deadline now);
  void go_on(std::size_t number, const Shopper::Answered& answer, Deadline now);
  void count(std::size_t kind, Deadline intended, Deadline now, const Outcome& outcome);

  Common& common_;
  const std::size_t index_;
  freehold::SeededRandom random_;
  Connections connections_;
  Shopper shopper_;
  std::vector<UnderWay> under_way_;  // a request is known by its index
  std::vector<std::size_t> unused_;  // of these
  std::vector<Counted> counted_;
  std::string made_;  // ids, one a line
  std::int64_t unanswered_ = 0;
  std::int64_t placed_ = 0;
};

void Worker::run() {
  if (is_open())
    at_their_times();
  else
    one_after_the_other();
  while (!connections_.is_idle()) connections_.wait(Deadline::max());
}

void Worker::one_after_the_other() {
  const auto clients = static_cast<std::size_t>(common_.plan.clients);
  for (std::size_t client = index_; client < clients; client += threads())
    act_if_there_is_time(client, SteadyClock::now());
}

void Worker::act_if_there_is_time(std::size_t client, Deadline now) {
  const auto requests_max = static_cast<std::size_t>(common_.plan.requests_max);
  if (now >= common_.until || (requests_max > 0 && common_.number.load() >= requests_max)) return;
  act(client, now, now);
}

void Worker::at_their_times() {
  ::prctl(PR_SET_TIMERSLACK, 1UL);  // ns; else each would come up to 50 us after its time
  Schedule schedule{common_.plan.arrivals, common_.plan.per_second / common_.plan.threads};
  for (std::size_t client = index_;; client += threads()) {
    const Deadline next = common_.begin + schedule.next(random_);
    if (next >= common_.until) return;
    Deadline now{};
    do {
      connections_.wait(next);  // also when it is late: answers come meanwhile
      now = SteadyClock::now();
    } while (now < next);
    act(client, next, now);
  }
}

void Worker::act(std::size_t client, Deadline intended, Deadline now) {
  if (unused_.empty()) {
    unused_.push_back(under_way_.size());
    under_way_.emplace_back();
  }
  const std::size_t number = unused_.back();
  unused_.pop_back();
  const std::size_t kind = common_.plan.mix.size() == 1 ? 0 : common_.actions.draw(random_);
  under_way_[number] = {.errand = {.action = common_.plan.mix[kind].action,
                                   .client = client,
                                   .number = common_.number++},
                        .kind = kind,
                        .intended = intended};
  shopper_.begin(under_way_[number].errand, number, now);
}

void Worker::go_on(std::size_t number, const Shopper::Answered& answer, Deadline now) {
  UnderWay& acted = under_way_[number];
  const auto outcome = shopper_.go_on(acted.errand, answer, number, now);
  if (!outcome) return;
  if (!outcome->made.empty()) {
    made_.append(outcome->made).append("\n");
    placed_ += acted.errand.action == Action::order ? 1 : 0;
  }
  if (outcome->end == Outcome::End::unanswered) ++unanswered_;
  count(acted.kind, acted.intended, now, *outcome);
  unused_.push_back(number);
  if (!is_open()) act_if_there_is_time(acted.errand.client, now);
}

void Worker::count(std::size_t kind, Deadline intended, Deadline now, const Outcome& outcome) {
  using End = Outcome::End;
  const Deadline counts_at = is_open() ? intended : now;
  if (counts_at < common_.from || counts_at >= common_.until) return;
  Tally& tally = counted_[kind].tally;
  switch (outcome.end) {
    case End::answered:
    case End::confirmed:
    case End::rejected:
      ++tally.answered;
      tally.confirmed += outcome.end == End::confirmed ? 1 : 0;
      tally.rejected += outcome.end == End::rejected ? 1 : 0;
      counted_[kind].latency.record(now - intended);
      return;
    case End::refused:
      ++tally.refused;
      break;
    case End::failed:
    case End::unanswered:
      ++tally.failed;
      break;
  }
  tally.last_failure = outcome.said;
}

Result<std::vector<std::string>> products_of(const Plan& plan) {
  std::vector<std::string> ids;
  if (plan.products_file.empty()) return ids;
  std::ifstream file{plan.products_file};
  for (std::string id; std::getline(file, id);) ids.push_back(id);
  if (ids.empty()) return freehold::Error{freehold::errors::malformed, "products_file is empty"};
  // What is popular lies anywhere in the catalogue, and in every load at the same places.
  freehold::SeededRandom random{shuffle_seed};
  for (std::size_t i = ids.size() - 1; i > 0; --i) std::swap(ids[i], ids[random.below(i + 1)]);
  return ids;
}

Latency latency_of(const Histogram& latency) {
  return {.mean_ms = latency.mean_ms(),
          .p50_ms = latency.percentile_ms(0.5),
          .p90_ms = latency.percentile_ms(0.9),
          .p99_ms = latency.percentile_ms(0.99),
          .p999_ms = latency.percentile_ms(0.999)};
}

double processor_s() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Report report_of(const Plan& plan, std::span<const std::unique_ptr<Worker>> workers,
                 Deadline until) {
  Report report{.processor_s = processor_s()};
  const std::chrono::duration<double> unused = until - SteadyClock::now();
  report.counted_s = plan.counted_ms / 1e3 - std::max(0.0, unused.count());
  for (std::size_t i = 0; i < plan.mix.size(); ++i) {
    Counted sum;
    sum.tally.action = plan.mix[i].action;
    for (const auto& worker : workers) {
      const Counted& share = worker->counted()[i];
      sum.tally.answered += share.tally.answered;
      sum.tally.confirmed += share.tally.confirmed;
      sum.tally.rejected += share.tally.rejected;
      sum.tally.refused += share.tally.refused;
      sum.tally.failed += share.tally.failed;
      if (!share.tally.last_failure.empty()) sum.tally.last_failure = share.tally.last_failure;
      sum.latency.merge(share.latency);
    }
    sum.tally.latency = latency_of(sum.latency);
    report.tallies.push_back(std::move(sum.tally));
  }
  for (const auto& worker : workers) {
    report.unanswered += worker->unanswered();
    report.placed += worker->placed();
  }
  return report;
}

void note_made(const Plan& plan, std::span<const std::unique_ptr<Worker>> workers) {
  if (plan.made_file.empty()) return;
  std::ofstream file{plan.made_file, std::ios::app};
  for (const auto& worker : workers) file << worker->made();
}

}  // namespace

Result<Report> run(const Plan& plan) {
  FREEHOLD_TRY(auto products, products_of(plan));
  if (plan.mix.empty() || plan.threads < 1 || plan.clients < plan.threads)
    return freehold::Error{freehold::errors::malformed, "a mix and a client a thread are needed"};
  std::vector<double> weights;
  weights.reserve(plan.mix.size());
  for (const Share& share : plan.mix) weights.push_back(share.weight);
  if (products.empty()) products.emplace_back();
  Common common{plan, std::move(products), weights};

  const auto count = static_cast<std::size_t>(plan.threads);
  std::vector<std::unique_ptr<Worker>> workers;
  workers.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    workers.push_back(std::make_unique<Worker>(common, i));
    FREEHOLD_TRY(workers.back()->find_services());
  }
  common.begin = SteadyClock::now();
  common.from = common.begin + std::chrono::milliseconds{plan.warm_up_ms};
  common.until = common.from + std::chrono::milliseconds{plan.counted_ms};
  {
    std::vector<std::jthread> threads;
    threads.reserve(count);
    for (const auto& worker : workers) threads.emplace_back([&worker] { worker->run(); });
  }
  note_made(plan, workers);
  return report_of(plan, workers, common.until);
}

}  // namespace bench
