// SPDX-License-Identifier: Apache-2.0
//
// What a saga costs beside its database: a replay builds the body's frame anew and runs it over its
// journal. And with it: a reply that ends a step and resumes the saga, many in one commit, on disk.
#include <benchmark/benchmark.h>
#include <stdlib.h>  // mkdtemp

#include <boost/asio/io_context.hpp>
#include <filesystem>

#include "freehold/base/assert.h"
#include "freehold/database/migrations.h"
#include "freehold/database/sqlite/sqlite_database.h"
#include "freehold/saga/internal/saga_pulse.h"
#include "freehold/saga/internal/saga_run.h"
#include "freehold/saga/order_example.h"
#include "freehold/saga/sagas.h"

namespace freehold::example {
namespace {

constexpr int resumed_at_once = 256;

std::string done_json(const std::string& order) {
  return R"({"order":")" + order + R"("})";
}

// The journal up to the step that is `steps` from its begin; all of them are done.
SagaRecord after_steps(std::size_t steps) {
  const std::string order = "01a20511-cdd6-7883-9bb0-e578ca8c7b0b";
  SagaRecord saga{.id = "place_order.v1/" + order,
                  .type = "place_order.v1",
                  .input = to_json(Placement{order})};
  const std::vector<JournalEntry> journal{
      {.name = "request stock.hold.v1", .state = StepState::done, .outcome = {done_json(order)}},
      {.name = "request payment.charge.v1",
       .state = StepState::done,
       .outcome = {done_json(order)}},
      {.name = "run confirm", .state = StepState::done, .outcome = {"null"}}};
  saga.journal.assign(journal.begin(), journal.begin() + static_cast<std::ptrdiff_t>(steps));
  return saga;
}

void replay(benchmark::State& state) {
  const auto program = place_order.program();
  SagaRecord saga = after_steps(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) {
    const auto body = program.begin(saga.input);
    internal::SagaRun run{*body, saga};
    if (run.replay() != internal::SagaRun::Place::beyond) state.SkipWithError("it diverged");
  }
}
BENCHMARK(replay)->DenseRange(0, 3);

// Sagas that wait for the answer of their first step.
class Waiting {
 public:
  Waiting() {
    set_own_service("order");
    FREEHOLD_ASSERT(::mkdtemp(directory_.data()), "no temporary directory");
    auto opened = SqliteDatabase::open({.directory = directory_ + "/data",
                                        .executor = context_.get_executor(),
                                        .service = "order"});
    FREEHOLD_ASSERT(opened, opened.error().text().c_str());
    database_ = *std::move(opened);
    const Migration migrations[] = {{1, "example", MigrationKind::expand, tables}};
    FREEHOLD_ASSERT(migrate(*database_, migrations), "no tables");
    internal::SagaPulse::of(own_service()).begin(0);
    sagas_ = std::make_unique<Sagas>(*database_, context_.get_executor(), SagaOptions{});
    sagas_->runs(place_order);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  ~Waiting() {
    database_->stop();
    context_.poll();
    std::filesystem::remove_all(directory_);
  }

  void begin() {
    ++round_;
    write([this](SqlTransaction& transaction) {
      for (int i = 0; i < resumed_at_once; ++i) {
        transaction.run(insert_order, order(i));
        place_order.start(transaction, order(i), {order(i)});
      }
    });
  }

  void resume() {
    write([this](SqlTransaction& transaction) {
      for (int i = 0; i < resumed_at_once; ++i) {
        const std::string in_reply_to = "place_order.v1/" + order(i) + "/1";
        const std::string data =
            R"({"status":"done","command":"","reply":)" + done_json(order(i)) + "}";
        Delivery delivery{};
        delivery.source = "stock";
        delivery.type = "freehold.reply.v1";
        delivery.in_reply_to = in_reply_to;
        delivery.data = data;
        sagas_->take_reply(transaction, delivery);
      }
    });
  }

 private:
  std::string order(int number) const {
    return "order-" + std::to_string(1'000'000 + round_ * resumed_at_once + number);
  }
  void write(const std::function<void(SqlTransaction&)>& body) {
    const auto done = database_->write_now([&](SqlTransaction& transaction) -> Result<> {
      body(transaction);
      return {};
    });
    FREEHOLD_ASSERT(done, "a write failed");
    context_.restart();
    context_.poll();  // what was to run after the commit
  }

  std::string directory_ = (std::filesystem::temp_directory_path() / "freehold-XXXXXX").string();
  boost::asio::io_context context_;
  std::unique_ptr<SqliteDatabase> database_;
  std::unique_ptr<Sagas> sagas_;
  int round_ = 0;
};

void resume_and_commit(benchmark::State& state) {
  Waiting waiting;
  for (auto _ : state) {
    state.PauseTiming();
    waiting.begin();
    state.ResumeTiming();
    waiting.resume();
  }
  state.SetItemsProcessed(state.iterations() * resumed_at_once);
}
BENCHMARK(resume_and_commit)->UseRealTime();

}  // namespace
}  // namespace freehold::example

BENCHMARK_MAIN();
