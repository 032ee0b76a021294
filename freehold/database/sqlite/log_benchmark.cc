// SPDX-License-Identifier: Apache-2.0
//
// How many events a second the log takes, by how many are appended in one commit. Every commit is
// on disk: in TMPDIR, else in /tmp.
#include <benchmark/benchmark.h>
#include <stdlib.h>  // mkdtemp

#include <boost/asio/system_executor.hpp>
#include <filesystem>

#include "freehold/base/assert.h"
#include "freehold/database/sqlite/sqlite_database.h"

namespace freehold {
namespace {

constexpr std::size_t json_bytes = 400;

void append_and_commit(benchmark::State& state) {
  std::string name = (std::filesystem::temp_directory_path() / "freehold-XXXXXX").string();
  FREEHOLD_ASSERT(::mkdtemp(name.data()), "no temporary directory");
  {
    const auto database = SqliteDatabase::open({.directory = name + "/data",
                                                .executor = boost::asio::system_executor{},
                                                .service = "log"});
    FREEHOLD_ASSERT(database, database.error().text().c_str());
    const NewEvent event{.type = "log.noted.v1",
                         .subject = "01a20511-cdd6-7883-9bb0-e578ca8c7b0b",
                         .json = std::string(json_bytes, '.')};
    for (auto _ : state) {
      const auto done = (*database)->write_now([&](SqlTransaction& transaction) -> Result<> {
        for (std::int64_t i = 0; i < state.range(0); ++i) transaction.append(event);
        return {};
      });
      FREEHOLD_ASSERT(done, "an append failed");
    }
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
  std::filesystem::remove_all(name);
}
BENCHMARK(append_and_commit)->Arg(1)->Arg(16)->Arg(256)->UseRealTime();

}  // namespace
}  // namespace freehold

BENCHMARK_MAIN();
