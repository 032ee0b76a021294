// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>

#include "freehold/schema/json.h"
#include "freehold/schema/sample_order.h"

namespace freehold {
namespace {

void write_an_order(benchmark::State& state) {
  const sample::Order order = sample::an_order();
  std::string out;
  for (auto _ : state) {
    out.clear();
    write_json(out, order);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations() * out.size()));
}
BENCHMARK(write_an_order);

void read_an_order(benchmark::State& state) {
  for (auto _ : state) {
    auto order = read_json<sample::Order>(sample::order_text, Strictness::strict);
    benchmark::DoNotOptimize(order);
  }
  state.SetBytesProcessed(
      static_cast<std::int64_t>(state.iterations() * sample::order_text.size()));
}
BENCHMARK(read_an_order);

}  // namespace
}  // namespace freehold

BENCHMARK_MAIN();
