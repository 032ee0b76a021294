// SPDX-License-Identifier: Apache-2.0
//
// What runs the sagas: retries, parking, divergence, readiness, admission, timers.
#include "freehold/saga/sagas.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>

#include "freehold/base/record.h"
#include "freehold/saga/order_service_test.h"

namespace freehold {
namespace {

using namespace example;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

struct Nothing {};
BOOST_DESCRIBE_STRUCT(Nothing, (), ())

const std::string done = R"({"status":"done","reply":{"order":"x"}})";

std::mutex records_mutex;
std::vector<std::string> records;

// Keeps what is recorded at error severity while it lives: "event: why".
class ErrorRecords {
 public:
  ErrorRecords() {
    const std::lock_guard lock{records_mutex};
    records.clear();
    install_record_sink(
        [](Severity severity, std::string_view event, std::initializer_list<RecordField> fields) {
          if (severity != Severity::error) return;
          std::string text{event};
          for (const RecordField& field : fields)
            if (field.name == "why") text += ": " + field.value;
          const std::lock_guard inner{records_mutex};
          records.push_back(std::move(text));
        });
  }
  ~ErrorRecords() { install_record_sink(nullptr); }
  ErrorRecords(const ErrorRecords&) = delete;
  ErrorRecords& operator=(const ErrorRecords&) = delete;

  std::vector<std::string> all(OrderService& service) {
    service.settle();
    const std::lock_guard lock{records_mutex};
    return records;
  }
};

// --- Failures ------------------------------------------------------------------------------------

// A body may run more often than it is attempted, so the fault goes by the clock.
std::atomic<Time> fails_until = Time{};

Saga stumble(SagaContext<Hold, Release> saga, Nothing) {
  (void)co_await saga.request(Hold{"x", 1}).undo(Release{"x"});
  (void)co_await saga.run("first", [](SqlTransaction& t) { t.run(add_effect, "x", "first"); });
  (void)co_await saga.run("second", [](SqlTransaction& t) {
    t.run(add_effect, "x", "second");
    if (now() < fails_until.load()) throw std::runtime_error("a stone in the way");
  });
}
constexpr SagaDefinition stumbling{"stumble.v1", stumble};

void start_stumbling(OrderService& service) {
  ASSERT_TRUE(service.write([](SqlTransaction& t) { stumbling.start(t, "1", {}); }));
  ASSERT_TRUE(service.take("stumble.v1/1", 1, done));
}

std::vector<AsideEvent> attempts_of(OrderService& service, const std::string& saga) {
  return service.database.read(
      [&](SqlTransaction& transaction) { return transaction.books().aside_of("saga", saga); });
}

Saga begin_at_once(SagaContext<> saga, Nothing) {
  (void)co_await saga.run("first", [](SqlTransaction& t) {
    t.run(add_effect, "x", "first");
    if (now() < fails_until.load()) throw std::runtime_error("not twice");
  });
}
constexpr SagaDefinition at_once{"at_once.v1", begin_at_once};

TEST(Sagas, run_no_step_of_one_that_was_started_before) {
  OrderService service{[](Sagas& sagas) { sagas.runs(at_once); }};
  const auto start = [](SqlTransaction& t) { at_once.start(t, "1", {}); };
  fails_until = Time{};
  ASSERT_TRUE(service.write(start));
  fails_until = now() + 1s;
  EXPECT_TRUE(service.write(start));
  EXPECT_THAT(service.effects("x"), ElementsAre("first"));
}

TEST(Sagas, try_a_resume_that_throws_again_later_with_each_effect_once) {
  OrderService service{[](Sagas& sagas) { sagas.runs(stumbling); }};
  fails_until = now() + 4s;
  start_stumbling(service);
  EXPECT_THAT(service.effects("x"), IsEmpty());  // all of the resume is undone …
  EXPECT_EQ(service.journal("stumble.v1/1").size(), 1U);
  EXPECT_EQ(service.journal("stumble.v1/1")[0].state, StepState::done);  // … but not what woke it
  ASSERT_EQ(attempts_of(service, "stumble.v1/1").size(), 1U);
  EXPECT_THAT(attempts_of(service, "stumble.v1/1")[0].why, HasSubstr("a stone in the way"));

  EXPECT_EQ(service.pass(1s - 1us), 0U);
  EXPECT_EQ(service.pass(1us), 1U);  // the second attempt, a second after the first
  EXPECT_EQ(service.pass(1s), 0U);
  service.restart();
  EXPECT_EQ(service.pass(1s), 1U);  // the third, two seconds later
  EXPECT_EQ(service.pass(4s), 1U);
  EXPECT_EQ(service.saga("stumble.v1/1").status, SagaStatus::ended);
  EXPECT_THAT(service.effects("x"), ElementsAre("first", "second"));
  EXPECT_THAT(attempts_of(service, "stumble.v1/1"), IsEmpty());
}

TEST(Sagas, park_a_saga_that_goes_on_failing_and_retry_it_when_they_are_told) {
  ErrorRecords recorded;
  OrderService service{[](Sagas& sagas) { sagas.runs(stumbling); }};
  fails_until = Time::max();
  start_stumbling(service);
  for (int i = 0; i < 10; ++i) service.pass(1h);
  EXPECT_EQ(attempts_of(service, "stumble.v1/1").at(0).attempts, 5);
  EXPECT_EQ(service.saga("stumble.v1/1").status, SagaStatus::parked);
  EXPECT_THAT(service.saga("stumble.v1/1").why, HasSubstr("a stone in the way"));
  EXPECT_THAT(recorded.all(service), ElementsAre(HasSubstr("saga parked: ")));
  EXPECT_EQ(service.counts().parked, 1);
  EXPECT_THAT(service.effects("x"), IsEmpty());

  fails_until = now() + 500ms;  // a fresh count: it may fail again
  ASSERT_TRUE(service.database.run(service.sagas->retry("stumble.v1/1")));
  EXPECT_EQ(service.pass(0s), 1U);
  EXPECT_EQ(service.saga("stumble.v1/1").status, SagaStatus::running);
  EXPECT_EQ(service.pass(1s), 1U);
  EXPECT_EQ(service.saga("stumble.v1/1").status, SagaStatus::ended);
  EXPECT_THAT(service.effects("x"), ElementsAre("first", "second"));
}

TEST(Sagas, retry_only_what_waits_for_a_person) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  const auto running = service.database.run(service.sagas->retry("place_order.v1/7"));
  ASSERT_FALSE(running);
  EXPECT_TRUE(running.error().is(errors::saga_not_waiting));
  const auto unknown = service.database.run(service.sagas->retry("place_order.v1/8"));
  ASSERT_FALSE(unknown);
  EXPECT_TRUE(unknown.error().is(errors::not_found));
}

TEST(Sagas, leave_a_failing_saga_s_neighbours_whole_in_one_transaction) {
  OrderService service{[](Sagas& sagas) { sagas.runs(stumbling).runs(place_order); }};
  fails_until = now() + 500ms;
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.write([](SqlTransaction& t) { stumbling.start(t, "1", {}); }));
  ASSERT_TRUE(service.write([&](SqlTransaction& t) {
    service.deliver(t, "place_order.v1/7", 1, done);
    service.deliver(t, "stumble.v1/1", 1, done);
  }));
  EXPECT_EQ(service.commands("7").size(), 2U);
  EXPECT_THAT(service.effects("x"), IsEmpty());
  EXPECT_EQ(service.pass(1s), 1U);
  EXPECT_THAT(service.effects("x"), ElementsAre("first", "second"));
}

TEST(Sagas, keep_an_outcome_that_comes_while_the_saga_is_parked) {
  OrderService service{[](Sagas& sagas) { sagas.runs(place_order); }};
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.write([](SqlTransaction& t) {
    SagaRecord saga = t.books().lock_saga("place_order.v1/7").value();
    saga.status = SagaStatus::parked;
    saga.why = "by hand";
    t.books().save_saga(saga);
  }));
  ASSERT_TRUE(service.reply("7", 1));
  EXPECT_EQ(service.journal("place_order.v1/7").size(), 1U);
  ASSERT_TRUE(service.database.run(service.sagas->retry("place_order.v1/7")));
  EXPECT_EQ(service.pass(0s), 1U);
  EXPECT_EQ(service.commands("7").size(), 2U);
}

TEST(Sagas, show_why_a_saga_waits_for_a_command_that_was_set_aside) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  Delivery delivery{};
  delivery.source = "stock";
  delivery.in_reply_to = "place_order.v1/7/1";
  delivery.data = "{}";
  ASSERT_TRUE(
      service.write([&](SqlTransaction& t) { service.sagas->take_set_aside(t, delivery); }));
  EXPECT_EQ(service.saga("place_order.v1/7").why, "stock has set aside the command of step 1");
  EXPECT_EQ(service.status("7"), SagaStatus::running);
  ASSERT_TRUE(service.reply("7", 1));
  EXPECT_EQ(service.saga("place_order.v1/7").why, "");
}

// --- Programs that differ ------------------------------------------------------------------------

Saga place_differently(Checkout saga, Placement order) {
  (void)co_await saga.request(Charge{order.order});
}
constexpr SagaDefinition other_step{"place_order.v1", place_differently};

Saga place_shorter(Checkout, Placement) {
  co_return;
}
constexpr SagaDefinition no_step{"place_order.v1", place_shorter};

Saga place_more_units(Checkout saga, Placement order) {
  (void)co_await saga.request(Hold{order.order, order.units + 1})
      .undo(Release{order.order})
      .within(24h);
}
constexpr SagaDefinition other_request{"place_order.v1", place_more_units};

TEST(Sagas, stop_a_saga_whose_body_asks_for_another_step_than_its_journal_holds) {
  ErrorRecords recorded;
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  service.restart_as([](Sagas& sagas) { sagas.runs(other_step); });
  ASSERT_TRUE(service.reply("7", 1));
  EXPECT_EQ(service.status("7"), SagaStatus::diverged);
  EXPECT_THAT(service.commands("7"), ElementsAre("stock.hold.v1 place_order.v1/7/1"));
  EXPECT_EQ(service.counts().diverged, 1);
  EXPECT_THAT(recorded.all(service),
              ElementsAre("saga diverged from its journal: step 1: the journal holds `request "
                          "stock.hold.v1`, this program asks for `request payment.charge.v1`"));

  // The right program goes on when it is told to.
  service.restart();
  service.restart_as([](Sagas& sagas) { sagas.runs(place_order); });
  ASSERT_TRUE(service.database.run(service.sagas->retry("place_order.v1/7")));
  EXPECT_EQ(service.pass(0s), 1U);
  EXPECT_EQ(service.commands("7").size(), 2U);
}

TEST(Sagas, stop_a_saga_whose_body_ends_before_its_journal) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  service.restart_as([](Sagas& sagas) { sagas.runs(no_step); });
  EXPECT_EQ(service.pass(24h), 1U);
  EXPECT_EQ(service.status("7"), SagaStatus::diverged);
  EXPECT_THAT(service.saga("place_order.v1/7").why, HasSubstr("this program ends there"));
}

TEST(Sagas, report_by_check_where_another_program_differs_and_change_nothing) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  EXPECT_THAT(service.sagas->check().value(), IsEmpty());
  ASSERT_TRUE(service.reply("7", 1));
  EXPECT_THAT(service.sagas->check().value(), IsEmpty());

  service.restart_as([](Sagas& sagas) { sagas.runs(other_step); });
  auto findings = service.sagas->check().value();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, SagaFinding::Kind::diverged);
  EXPECT_EQ(findings[0].saga, "place_order.v1/7");

  service.restart_as([](Sagas& sagas) { sagas.runs(other_request); });
  findings = service.sagas->check().value();
  ASSERT_EQ(findings.size(), 2U);
  EXPECT_EQ(findings[0].kind, SagaFinding::Kind::diverged);  // it ends after one step
  EXPECT_EQ(findings[1].kind, SagaFinding::Kind::request_changed);
  EXPECT_EQ(findings[1].step, 1);

  service.restart_as([](Sagas&) {});
  findings = service.sagas->check().value();
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].kind, SagaFinding::Kind::unknown_type);
  EXPECT_EQ(service.status("7"), SagaStatus::running);
}

TEST(Sagas, go_on_when_only_the_contents_of_a_request_differ) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  service.restart_as([](Sagas& sagas) { sagas.runs(other_request); });
  ASSERT_TRUE(service.reply("7", 1));
  EXPECT_EQ(service.status("7"), SagaStatus::ended);
}

TEST(Sagas, are_not_ready_while_a_saga_lives_whose_type_the_program_lacks) {
  OrderService service{[](Sagas& sagas) { sagas.runs(place_order).runs(stumbling); }};
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.place("8"));
  ASSERT_TRUE(service.write([](SqlTransaction& t) { stumbling.start(t, "1", {}); }));
  EXPECT_TRUE(service.sagas->ready());

  service.restart_as([](Sagas& sagas) { sagas.runs(place_order); });
  const Result<> ready = service.sagas->ready();
  ASSERT_FALSE(ready);
  EXPECT_TRUE(ready.error().is(errors::saga_type_unknown));
  EXPECT_EQ(ready.error().detail(), "stumble.v1");

  // Its reply is kept, and it goes on with a program that knows it, after whatever time.
  fails_until = Time{};
  ASSERT_TRUE(service.take("stumble.v1/1", 1, done));
  for (int i = 0; i < 20; ++i) service.pass(1h);
  EXPECT_EQ(service.saga("stumble.v1/1").status, SagaStatus::running);
  service.restart_as([](Sagas& sagas) { sagas.runs(stumbling).runs(place_order); });
  EXPECT_TRUE(service.sagas->ready());
  service.pass(1h);
  EXPECT_THAT(service.effects("x"), ElementsAre("first", "second"));
}

Saga place_anew(Checkout saga, Placement order) {
  co_await saga.tell(Sell{order.order});
}
constexpr SagaDefinition place_order_2{"place_order.v2", place_anew};

TEST(Sagas, run_several_versions_of_one_saga_side_by_side) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  service.restart_as([](Sagas& sagas) { sagas.runs(place_order).runs(place_order_2); });
  ASSERT_TRUE(service.write([](SqlTransaction& t) { place_order_2.start(t, "7", {"8"}); }));
  EXPECT_THAT(service.commands("8"), ElementsAre("stock.sell.v1"));
  ASSERT_TRUE(service.reply("7", 1));
  EXPECT_EQ(service.commands("7").size(), 2U);
}

TEST(Sagas, name_the_peers_that_their_commands_go_to) {
  OrderService service;
  EXPECT_THAT(service.sagas->peers(), ElementsAre("payment", "stock"));
  EXPECT_THAT(service.sagas->replies_from("stock").families(),
              UnorderedElementsAre("freehold.command_set_aside", "freehold.reply"));
}

// --- Counting ------------------------------------------------------------------------------------

TEST(Sagas, admit_a_fixed_number_and_beyond_it_what_finishes_in_two_seconds) {
  OrderService service{[](Sagas& sagas) { sagas.runs(place_order); },
                       SagaOptions{.in_flight_min = 2}};
  ASSERT_TRUE(service.sagas->start());
  EXPECT_TRUE(service.sagas->admit());
  ASSERT_TRUE(service.place("1"));
  ASSERT_TRUE(service.place("2"));
  service.settle();  // behind what follows the commits
  const Result<> third = service.sagas->admit();
  ASSERT_FALSE(third);
  EXPECT_TRUE(third.error().is(errors::overloaded));

  ASSERT_TRUE(service.place("3"));
  ASSERT_TRUE(service.refuse("1", 1, out_of_stock));
  ASSERT_TRUE(service.refuse("2", 1, out_of_stock));
  ASSERT_TRUE(service.place("4"));
  service.settle();
  EXPECT_FALSE(service.sagas->admit());
  service.clock.advance(1s);  // two have finished in this second: four may be in flight
  EXPECT_TRUE(service.sagas->admit());
  ASSERT_TRUE(service.place("5"));
  ASSERT_TRUE(service.place("6"));
  service.settle();
  EXPECT_FALSE(service.sagas->admit());
  service.database.run(service.sagas->stop());
}

// The database is counted once a second; whoever asks in between is not to be admitted blindly.
TEST(Sagas, count_on_from_what_was_counted_in_a_shared_database) {
  internal::SagaPulse pulse;
  pulse.begin(0);
  pulse.counted({.running = 5});
  pulse.started();
  pulse.started();
  EXPECT_EQ(pulse.running(), 7);
  pulse.finished(false);
  EXPECT_EQ(pulse.running(), 6);
  pulse.counted({.running = 1});
  EXPECT_EQ(pulse.running(), 1);
}

TEST(Sagas, count_what_is_alive_anew_at_every_start) {
  OrderService service;
  ASSERT_TRUE(service.place("1"));
  ASSERT_TRUE(service.place("2"));
  ASSERT_TRUE(service.place("3"));
  ASSERT_TRUE(service.refuse("3", 1, out_of_stock));
  service.restart();
  ASSERT_TRUE(service.sagas->start());
  EXPECT_EQ(service.counts().running, 2);
  EXPECT_EQ(service.sagas->list(SagaStatus::running, "", 10).value().size(), 2U);
  service.database.run(service.sagas->stop());
}

TEST(Sagas, forget_what_ended_a_week_ago_and_nothing_that_lives) {
  OrderService service;
  ASSERT_TRUE(service.place("1"));
  ASSERT_TRUE(service.refuse("1", 1, out_of_stock));
  service.clock.advance(24h * 6);
  ASSERT_TRUE(service.place("2"));
  EXPECT_EQ(service.database.run(service.sagas->forget_ended()).value(), 0U);
  service.clock.advance(24h + 1s);
  EXPECT_EQ(service.database.run(service.sagas->forget_ended()).value(), 1U);
  EXPECT_THAT(service.sagas->list(SagaStatus::failed, "", 10).value(), IsEmpty());
  EXPECT_EQ(service.status("2"), SagaStatus::running);
}

}  // namespace
}  // namespace freehold
