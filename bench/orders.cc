// SPDX-License-Identifier: Apache-2.0
//
// Two figures of a running shop, through the order service directly: how long one order takes from
// POST to confirmed while nothing else is going on, and how many orders a second are confirmed for
// many clients, each of which sends its next order when the last one is confirmed (a closed loop).
// Every answer comes after its commit is on disk. Started by bench/run.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <charconv>
#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/id.h"
#include "freehold/base/random.h"
#include "freehold/http/transport.h"

namespace {

using freehold::Deadline, freehold::SteadyClock, freehold::Task;
namespace http = freehold::http;

struct RequestId : freehold::Id<RequestId> {};

struct Load {
  std::string address;
  std::string token;
  std::vector<std::string> products;  // ids
  int clients = 64;
  std::chrono::seconds warm_up{2};
  std::chrono::seconds duration{8};
  bool one_product = false;
};

struct Outcome {
  std::vector<double> milliseconds;  // of orders confirmed within the measured time
  std::size_t failed = 0;
  std::string failure;
};

http::Request order(const Load& load) {
  const std::size_t which =
      load.one_product ? 0 : freehold::Random::current().below(load.products.size());
  return {.method = http::Method::post,
          .target = "/api/orders",
          .headers = {{"Authorization", "Bearer " + load.token},
                      {"Content-Type", "application/json"},
                      {"Prefer", "wait=10"},
                      {"Idempotency-Key", RequestId::make().text()}},
          .body = R"({"lines":[{"product_id":")" + load.products[which] +
                  R"(","quantity":1}],"delivery_address":"1 Long Lane"})"};
}

double milliseconds_since(SteadyClock::time_point begin) {
  return std::chrono::duration<double, std::milli>(SteadyClock::now() - begin).count();
}

Task<> client(http::Transport* transport, const Load* load, Deadline from, Deadline until,
              Outcome* outcome) {
  while (SteadyClock::now() < until) {
    const auto begin = SteadyClock::now();
    auto answer = co_await transport->exchange(load->address, order(*load),
                                               freehold::deadline_in(std::chrono::seconds{15}));
    const bool confirmed = answer && answer->status == 201 &&
                           answer->body.find(R"("status":"confirmed")") != std::string::npos;
    if (!confirmed) {
      ++outcome->failed;
      outcome->failure = answer ? answer->body : answer.error().text();
    } else if (begin >= from && SteadyClock::now() <= until) {
      outcome->milliseconds.push_back(milliseconds_since(begin));
    }
  }
}

Outcome run(const Load& load) {
  boost::asio::io_context io{1};
  const auto transport = http::network_transport(
      io.get_executor(), {.connections_max = static_cast<std::size_t>(load.clients)});
  const Deadline from = freehold::deadline_in(load.warm_up);
  const Deadline until = from + load.duration;
  Outcome outcome;
  for (int i = 0; i < load.clients; ++i)
    boost::asio::co_spawn(io, client(transport.get(), &load, from, until, &outcome),
                          boost::asio::detached);
  while (SteadyClock::now() < until + std::chrono::seconds{1} &&
         io.run_for(std::chrono::seconds{1}))
    continue;
  return outcome;
}

double percentile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at = static_cast<std::size_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(at));
  return values[at];
}

bool print(const char* name, const Load& load) {
  Outcome outcome = run(load);
  const double rate =
      static_cast<double>(outcome.milliseconds.size()) / static_cast<double>(load.duration.count());
  std::printf("%-8s %4d clients  %8.0f confirmed/s   p50 %7.2f ms   p99 %7.2f ms   %zu failed\n",
              name, load.clients, rate, percentile(outcome.milliseconds, 0.5),
              percentile(outcome.milliseconds, 0.99), outcome.failed);
  if (outcome.failed > 0) std::printf("         %s\n", outcome.failure.c_str());
  std::fflush(stdout);
  return outcome.failed == 0;
}

}  // namespace

// bench_orders HOST:PORT TOKEN SECONDS CLIENTS PRODUCT_ID…
int main(int argc, char** argv) {
  if (argc < 6) {
    std::fprintf(stderr, "usage: bench_orders HOST:PORT TOKEN SECONDS CLIENTS PRODUCT_ID...\n");
    return 2;
  }
  Load load{.address = argv[1],
            .token = argv[2],
            .products = {argv + 5, argv + argc},
            .duration = std::chrono::seconds{std::atoi(argv[3])}};
  const int clients = std::atoi(argv[4]);

  bool good = true;
  load.clients = 1;
  good &= print("idle", load);
  load.clients = clients;
  good &= print("uniform", load);
  load.one_product = true;
  good &= print("hot", load);
  return good ? 0 : 1;
}
