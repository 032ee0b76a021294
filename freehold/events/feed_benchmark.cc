// SPDX-License-Identifier: Apache-2.0
//
// What an event costs on its way from the transaction that caused it to a reader: encoded, written
// into an answer of the feed, read there.
#include <benchmark/benchmark.h>

#include "freehold/events/cloud_event.h"
#include "freehold/events/test_contract.h"

namespace freehold {
namespace {

constexpr int events_of_an_answer = 256;

KeepNumber a_command() {
  return {"01a20511-cdd6-7883-9bb0-e578ca8c7b0b", 12'345};
}

std::vector<StoredEvent> stored_events() {
  set_own_service("counter");
  std::vector<StoredEvent> events;
  for (std::uint64_t position = 1; position <= events_of_an_answer; ++position) {
    NewEvent event = encode(
        a_command(), {.request_id = "place_order.v1/01a20511-cdd6-7883-9bb0-e578ca8c7b0b/1"});
    events.push_back({.id = {0, position, 0xfeed},
                      .type = std::move(event.type),
                      .recipient = std::move(event.recipient),
                      .json = std::move(event.json)});
  }
  return events;
}

void write_answer(std::string& out, const std::vector<StoredEvent>& events) {
  out = "[";
  for (const StoredEvent& event : events) {
    if (out.size() > 1) out += ',';
    write_cloud_event(out, event);
  }
  out += ']';
}

void encode_a_command(benchmark::State& state) {
  set_own_service("counter");
  const KeepNumber command = a_command();
  for (auto _ : state) benchmark::DoNotOptimize(encode(command));
}
BENCHMARK(encode_a_command);

void write_an_answer(benchmark::State& state) {
  const auto events = stored_events();
  std::string out;
  for (auto _ : state) {
    write_answer(out, events);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * events_of_an_answer);
}
BENCHMARK(write_an_answer);

void read_an_answer(benchmark::State& state) {
  std::string text;
  write_answer(text, stored_events());
  for (auto _ : state) benchmark::DoNotOptimize(EventBatch::read(text));
  state.SetItemsProcessed(state.iterations() * events_of_an_answer);
}
BENCHMARK(read_an_answer);

}  // namespace
}  // namespace freehold

BENCHMARK_MAIN();
