// SPDX-License-Identifier: Apache-2.0
//
// The order service of order_example.h as a test drives it: a real database, its sagas, a clock
// that stands still, and what its peers would send.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/base/errors.h"
#include "freehold/saga/internal/saga_pulse.h"
#include "freehold/saga/order_example.h"
#include "freehold/saga/sagas.h"
#include "freehold/schema/json.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/scratch_database.h"

namespace freehold::example {

struct LoggedCommand {
  std::string type;
  std::optional<std::string> requestid;
  std::string subject;
};
BOOST_DESCRIBE_STRUCT(LoggedCommand, (), (type, requestid, subject))

class OrderService {
 public:
  using Parts = std::function<void(Sagas&)>;

  explicit OrderService(
      Parts parts = [](Sagas& sagas) { sagas.runs(place_order); }, SagaOptions options = {})
      : parts_(std::move(parts)), options_(std::move(options)) {
    set_own_service("order");
    EXPECT_TRUE(write([](SqlTransaction& transaction) {
      transaction.run_script(sql::tables_in(transaction.dialect(), tables));
    }));
    make_sagas();
  }

  ManualClock clock;
  ScratchDatabase database;
  std::unique_ptr<Sagas> sagas;

  // What a crash leaves: the database. Another program may go on with it.
  void restart() {
    settle();
    sagas.reset();
    database.reopen();
    make_sagas();
  }
  void restart_as(Parts parts) {
    parts_ = std::move(parts);
    restart();
  }

  Result<> write(const std::function<void(SqlTransaction&)>& body) {
    return database.write([&](SqlTransaction& transaction) -> Result<> {
      body(transaction);
      return {};
    });
  }
  Result<> place(const std::string& order) {
    return write([&](SqlTransaction& transaction) {
      transaction.run(insert_order, order);
      place_order.start(transaction, order, {order});
    });
  }

  // A peer answers the step of place_order.v1/<order>.
  Result<> reply(const std::string& order, int step) {
    return take(id_of(order), step,
                R"({"status":"done","command":"","reply":)" + to_json(Done{order}) + "}");
  }
  Result<> refuse(const std::string& order, int step, const ErrorCode& code) {
    return take(id_of(order), step,
                R"({"status":"refused","command":"","error":)" + error_to_json(code) + "}");
  }
  Result<> take(const std::string& saga, int step, const std::string& data) {
    return write([&](SqlTransaction& transaction) { deliver(transaction, saga, step, data); });
  }
  void deliver(SqlTransaction& transaction, const std::string& saga, int step,
               const std::string& data) const {
    const std::string in_reply_to = saga + "/" + std::to_string(step);
    Delivery delivery{};
    delivery.source = "stock";
    delivery.type = "freehold.reply.v1";
    delivery.in_reply_to = in_reply_to;
    delivery.data = data;
    sagas->take_reply(transaction, delivery);
  }

  std::size_t pass(std::chrono::nanoseconds time) {
    clock.advance(time);
    const auto fired = database.run(sagas->fire_due());
    EXPECT_TRUE(fired) << fired.error().text();
    return fired.value();
  }

  // When all that follows the commits so far has run: that is behind them on the same thread.
  void settle() {
    database.run([]() -> Task<> { co_return; }());
  }
  SagaCounts counts() {
    settle();
    return sagas->counts();
  }

  static std::string id_of(const std::string& order) { return "place_order.v1/" + order; }
  SagaRecord saga(const std::string& id) {
    return database.read([&](SqlTransaction& transaction) { return transaction.books().saga(id); })
        .value();
  }
  SagaStatus status(const std::string& order) { return saga(id_of(order)).status; }
  std::vector<JournalEntry> journal(const std::string& id) { return saga(id).journal; }
  std::string state(const std::string& order) {
    return database
        .read([&](SqlTransaction& transaction) { return transaction.first(state_of, order); })
        .value_or("");
  }
  std::vector<std::string> effects(const std::string& place) {
    return database.read(
        [&](SqlTransaction& transaction) { return transaction.all(effects_at, place); });
  }
  // The commands in the log about that order: "stock.hold.v1 place_order.v1/7/1", without the
  // request id when nobody waits for the reply.
  std::vector<std::string> commands(const std::string& order) {
    return database.read([&](SqlTransaction& transaction) {
      std::vector<std::string> commands;
      for (const auto& event : transaction.books().events_after(0, 0, 100'000, 64 << 20)) {
        const auto read =
            read_json<LoggedCommand>("{" + event.json + "}", Strictness::tolerant).value();
        if (read.subject != order) continue;
        commands.push_back(read.type + (read.requestid ? " " + *read.requestid : ""));
      }
      return commands;
    });
  }

 private:
  void make_sagas() {
    internal::SagaPulse::of(own_service()).begin(0);  // as in a new process
    sagas = std::make_unique<Sagas>(*database, database.executor(), options_);
    parts_(*sagas);
  }

  Parts parts_;
  const SagaOptions options_;
};

}  // namespace freehold::example
