// SPDX-License-Identifier: Apache-2.0
//
// Whatever comes, in whatever order and however often, a saga comes to an end that some orderly
// sequence would have brought it to, with each effect once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>

#include "freehold/base/record.h"
#include "freehold/saga/order_service_test.h"

namespace freehold {
namespace {

using namespace example;

enum class What { done, refused, time, undone_delivery, restart, withdrawal };

struct Event {
  What what;
  int step;   // of replies: 1 or 2
  int hours;  // of time
};

void showValue(const Event& event, std::ostream& out) {  // NOLINT: RapidCheck looks for it
  const char* names[] = {"done", "refused", "time", "undone_delivery", "restart", "withdrawal"};
  out << names[static_cast<int>(event.what)] << "(step " << event.step << ", " << event.hours
      << " h)";
}

rc::Gen<Event> any_event() {
  return rc::gen::construct<Event>(rc::gen::weightedElement<What>({{5, What::done},
                                                                   {2, What::refused},
                                                                   {3, What::time},
                                                                   {2, What::undone_delivery},
                                                                   {1, What::restart},
                                                                   {1, What::withdrawal}}),
                                   rc::gen::inRange(1, 3), rc::gen::element(0, 1, 12, 24));
}

// What place_order does, said without a journal, a replay or a database.
class Expected {
 public:
  void happen(const Event& event) {
    switch (event.what) {
      case What::done:
        if (event.step == step_) answer(true);
        break;
      case What::refused:
        if (event.step == step_) refuse();
        break;
      case What::time:
        hours_left_ -= event.hours;
        if (step_ != 0 && hours_left_ <= 0) time_out();
        break;
      case What::withdrawal:
        is_withdrawn_ = is_withdrawn_ || state_ == "pending";
        if (is_withdrawn_) state_ = "withdrawn";
        break;
      case What::undone_delivery:
      case What::restart:
        break;
    }
  }

  std::vector<std::string> commands{"stock.hold.v1 1"};
  std::vector<std::string> effects;
  SagaStatus status = SagaStatus::running;

 private:
  void answer(bool) {
    if (step_ == 1) {
      step_ = 2;
      hours_left_ = 1;
      commands.emplace_back("payment.charge.v1 2");
    } else if (is_withdrawn_) {
      end(SagaStatus::failed, "cancelled", {"payment.refund.v1", "stock.release.v1"});
    } else {
      end(SagaStatus::ended, "confirmed", {"stock.sell.v1"});
    }
  }
  void refuse() {
    reject(step_ == 1 ? std::vector<std::string>{} : std::vector<std::string>{"stock.release.v1"});
  }
  void time_out() {
    reject(step_ == 1 ? std::vector<std::string>{"stock.release.v1"}
                      : std::vector<std::string>{"payment.refund.v1", "stock.release.v1"});
  }
  // The saga's last step finds the order withdrawn: it cannot become rejected, and waits for a
  // person with nothing undone yet.
  void reject(const std::vector<std::string>& undos) {
    if (is_withdrawn_) {
      step_ = 0;
      is_failing = true;
      return;
    }
    end(SagaStatus::failed, "rejected", undos);
  }
  void end(SagaStatus with, const std::string& effect, const std::vector<std::string>& sent) {
    step_ = 0;
    status = with;
    state_ = effect;
    effects.push_back(effect);
    commands.insert(commands.end(), sent.begin(), sent.end());
  }

 public:
  bool is_failing = false;

 private:
  int step_ = 1;  // that is waited for; 0: none
  int hours_left_ = 24;
  bool is_withdrawn_ = false;
  std::string state_ = "pending";
};

const std::string refusal = R"({"status":"refused","error":)" + error_to_json(out_of_stock) + "}";

void apply(OrderService& service, const std::string& order, const Event& event) {
  const std::string done = R"({"status":"done","reply":)" + to_json(Done{order}) + "}";
  const std::string saga = OrderService::id_of(order);
  switch (event.what) {
    case What::done:
      RC_ASSERT(service.take(saga, event.step, done).has_value());
      break;
    case What::refused:
      RC_ASSERT(service.take(saga, event.step, refusal).has_value());
      break;
    case What::time:
      service.pass(std::chrono::hours{event.hours});
      break;
    case What::undone_delivery:  // the process dies before the commit
      RC_ASSERT(!service.database
                     .write([&](SqlTransaction& transaction) -> Result<> {
                       service.deliver(transaction, saga, event.step,
                                       event.hours % 2 == 0 ? done : refusal);
                       return errors::shutting_down;
                     })
                     .has_value());
      break;
    case What::restart:
      service.restart();
      break;
    case What::withdrawal:
      RC_ASSERT(service.write([&](SqlTransaction& t) { t.run(set_state, order, "withdrawn"); })
                    .has_value());
      break;
  }
}

TEST(SagaProperty, any_interleaving_comes_to_an_orderly_end_with_each_effect_once) {
  OrderService service;
  install_record_sink([](Severity, std::string_view, std::initializer_list<RecordField>) {});
  int number = 0;
  const bool holds = rc::check("any interleaving of replies, timers, crashes and repeats", [&] {
    const auto events = *rc::gen::container<std::vector<Event>>(any_event());
    const std::string order = std::to_string(++number);
    RC_ASSERT(service.place(order).has_value());
    Expected expected;
    for (const Event& event : events) {
      apply(service, order, event);
      expected.happen(event);
    }
    RC_CLASSIFY(expected.status == SagaStatus::ended, "confirmed");
    RC_CLASSIFY(expected.status == SagaStatus::failed, "undone");
    std::vector<std::string> commands;
    for (std::string command : service.commands(order)) {
      if (const auto id = command.find(" place_order"); id != std::string::npos)
        command = command.substr(0, id) + " " + command.substr(command.rfind('/') + 1);
      commands.push_back(std::move(command));
    }
    RC_ASSERT(commands == expected.commands);
    RC_ASSERT(service.effects(order) == expected.effects);
    if (!expected.is_failing) RC_ASSERT(service.status(order) == expected.status);
    RC_ASSERT(service.sagas->check().value().empty());
    // Out of the way of the next one: its timer would be fired there.
    if (service.status(order) == SagaStatus::running)
      RC_ASSERT(service
                    .write([&](SqlTransaction& t) {
                      SagaRecord saga = t.books().lock_saga(OrderService::id_of(order)).value();
                      saga.status = SagaStatus::ended;
                      saga.due = {};
                      t.books().save_saga(saga);
                    })
                    .has_value());
  });
  install_record_sink(nullptr);
  EXPECT_TRUE(holds);
}

}  // namespace
}  // namespace freehold
