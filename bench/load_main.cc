// SPDX-License-Identifier: Apache-2.0
//
// bench_load: reads a Plan from standard input, carries it out, prints its Report.
#include <cstdio>
#include <iostream>
#include <iterator>

#include "bench/load.h"
#include "freehold/schema/json.h"

namespace {

freehold::Result<bench::Report> carry_out(std::string_view text) {
  FREEHOLD_TRY(const auto plan,
               freehold::read_json<bench::Plan>(text, freehold::Strictness::strict));
  return bench::run(plan);
}

}  // namespace

int main() {
  const std::string text{std::istreambuf_iterator<char>{std::cin}, {}};
  const auto report = carry_out(text);
  if (!report) {
    std::fprintf(stderr, "bench_load: %s\n", report.error().text().c_str());
    return 1;
  }
  std::puts(freehold::to_json(*report).c_str());
}
