// SPDX-License-Identifier: Apache-2.0
//
// What a saga's body can rely on, step by step.
#include "freehold/saga/saga.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "freehold/saga/order_service_test.h"

namespace freehold {
namespace {

using namespace example;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Saga, runs_to_its_first_request_in_the_transaction_that_starts_it) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  EXPECT_THAT(service.commands("7"), ElementsAre("stock.hold.v1 place_order.v1/7/1"));
  const auto journal = service.journal("place_order.v1/7");
  ASSERT_EQ(journal.size(), 1U);
  EXPECT_EQ(journal[0].name, "request stock.hold.v1");
  EXPECT_EQ(journal[0].state, StepState::waiting);
  EXPECT_EQ(service.saga("place_order.v1/7").due, now() + 24h);
}

TEST(Saga, is_not_there_when_the_transaction_that_starts_it_is_refused) {
  OrderService service;
  const Result<> refused = service.database.write([](SqlTransaction& transaction) -> Result<> {
    place_order.start(transaction, "7", {"7"});
    return out_of_stock;
  });
  EXPECT_FALSE(refused);
  EXPECT_THAT(service.commands("7"), IsEmpty());
  EXPECT_EQ(service.counts().running, 0);
  EXPECT_TRUE(service.place("7"));
  EXPECT_EQ(service.commands("7").size(), 1U);
}

TEST(Saga, is_one_however_often_it_is_started) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  const auto again = [](SqlTransaction& transaction) {
    place_order.start(transaction, "7", {"7"});
  };
  ASSERT_TRUE(service.write(again));
  EXPECT_EQ(service.commands("7").size(), 1U);
  EXPECT_EQ(service.counts().running, 1);
  ASSERT_TRUE(service.refuse("7", 1, out_of_stock));
  ASSERT_TRUE(service.write(again));  // also after its end
  EXPECT_EQ(service.commands("7").size(), 1U);
  EXPECT_EQ(service.counts().running, 0);
}

TEST(Saga, ends_after_its_last_step_with_each_effect_once) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.reply("7", 1));
  ASSERT_TRUE(service.reply("7", 2));
  EXPECT_EQ(service.status("7"), SagaStatus::ended);
  EXPECT_EQ(service.state("7"), "confirmed");
  EXPECT_THAT(service.effects("7"), ElementsAre("confirmed"));
  EXPECT_THAT(service.commands("7"),
              ElementsAre("stock.hold.v1 place_order.v1/7/1",
                          "payment.charge.v1 place_order.v1/7/2", "stock.sell.v1"));
}

TEST(Saga, that_is_refused_at_once_undoes_nothing) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.refuse("7", 1, out_of_stock));
  EXPECT_EQ(service.status("7"), SagaStatus::failed);
  EXPECT_EQ(service.saga("place_order.v1/7").why, "reject");
  EXPECT_EQ(service.state("7"), "rejected");
  EXPECT_THAT(service.commands("7"), ElementsAre("stock.hold.v1 place_order.v1/7/1"));
}

TEST(Saga, undoes_what_was_done_and_not_what_was_refused) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.reply("7", 1));
  ASSERT_TRUE(service.refuse("7", 2, out_of_stock));
  EXPECT_THAT(service.commands("7"),
              ElementsAre("stock.hold.v1 place_order.v1/7/1",
                          "payment.charge.v1 place_order.v1/7/2", "stock.release.v1"));
}

TEST(Saga, keeps_the_undo_of_a_request_that_timed_out_and_undoes_the_newest_first) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.reply("7", 1));
  EXPECT_EQ(service.pass(1h), 1U);
  EXPECT_EQ(service.status("7"), SagaStatus::failed);
  EXPECT_THAT(service.commands("7"), ElementsAre("stock.hold.v1 place_order.v1/7/1",
                                                 "payment.charge.v1 place_order.v1/7/2",
                                                 "payment.refund.v1", "stock.release.v1"));
}

TEST(Saga, keeps_the_undo_when_the_refusal_says_that_nobody_knows) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.refuse("7", 1, errors::commit_unknown));
  EXPECT_THAT(service.commands("7"),
              ElementsAre("stock.hold.v1 place_order.v1/7/1", "stock.release.v1"));
}

TEST(Saga, sees_in_its_own_transaction_what_happened_meanwhile) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.reply("7", 1));
  ASSERT_TRUE(service.write([](SqlTransaction& t) { t.run(set_state, "7", "withdrawn"); }));
  ASSERT_TRUE(service.reply("7", 2));
  // The refused step's own write is undone, the saga's is not.
  EXPECT_THAT(service.effects("7"), ElementsAre("cancelled"));
  EXPECT_EQ(service.journal("place_order.v1/7")[2].state, StepState::refused);
  EXPECT_THAT(service.commands("7"), ElementsAre("stock.hold.v1 place_order.v1/7/1",
                                                 "payment.charge.v1 place_order.v1/7/2",
                                                 "payment.refund.v1", "stock.release.v1"));
}

TEST(Saga, takes_the_first_outcome_of_a_step_and_records_the_others_as_late) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  ASSERT_TRUE(service.pass(24h));
  const auto commands = service.commands("7");
  ASSERT_TRUE(service.reply("7", 1));
  EXPECT_EQ(service.status("7"), SagaStatus::failed);
  EXPECT_EQ(service.state("7"), "rejected");
  EXPECT_EQ(service.commands("7"), commands);

  ASSERT_TRUE(service.place("8"));
  ASSERT_TRUE(service.reply("8", 1));
  ASSERT_TRUE(service.reply("8", 1));
  ASSERT_TRUE(service.refuse("8", 1, out_of_stock));
  EXPECT_EQ(service.journal("place_order.v1/8").size(), 2U);
  EXPECT_EQ(service.counts().late_outcomes, 3U);
  const auto late = service.database.read(
      [](SqlTransaction& t) { return t.books().late_outcomes("place_order.v1/8"); });
  ASSERT_EQ(late.size(), 2U);
  EXPECT_THAT(late[1].outcome, HasSubstr("out_of_stock"));
}

TEST(Saga, sends_all_its_commands_under_the_trace_that_started_it) {
  OrderService service;
  ASSERT_TRUE(service.write([](SqlTransaction& transaction) {
    const Transaction::Traced traced{transaction, "00-11-22-01"};
    transaction.run(insert_order, "7");
    place_order.start(transaction, "7", {"7"});
  }));
  ASSERT_TRUE(service.place("8"));
  service.restart();
  for (const char* order : {"7", "8"}) ASSERT_TRUE(service.reply(order, 1));
  ASSERT_EQ(service.pass(1h), 2U) << "a timer, which has no trace";
  const auto events = service.database.read([](SqlTransaction& transaction) {
    return transaction.books().events_after(0, 0, 100, 1 << 20);
  });
  ASSERT_EQ(events.size(), 8U);
  for (const StoredEvent& event : events)
    EXPECT_EQ(event.json.contains(R"("traceparent":"00-11-22-01")"),
              event.json.contains(R"("subject":"7")"))
        << event.json;
}

TEST(Saga, that_nobody_knows_gets_its_reply_counted_and_recorded) {
  OrderService service;
  ASSERT_TRUE(service.reply("9", 1));
  EXPECT_EQ(service.counts().unknown_replies, 1U);
  const auto late = service.database.read(
      [](SqlTransaction& t) { return t.books().late_outcomes("place_order.v1/9"); });
  EXPECT_EQ(late.size(), 1U);
}

TEST(Saga, fails_the_delivery_of_a_reply_that_cannot_be_read) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  EXPECT_FALSE(service.take("place_order.v1/7", 1, "{}"));
  EXPECT_FALSE(service.take("place_order.v1/7", 1, R"({"status":"perhaps","reply":{}})"));
  EXPECT_TRUE(service.reply("7", 1));
}

TEST(Saga, keeps_its_timers_over_a_restart) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  service.restart();
  EXPECT_EQ(service.pass(24h - 1us), 0U);
  service.restart();
  EXPECT_EQ(service.pass(1us), 1U);
  EXPECT_EQ(service.state("7"), "rejected");
}

TEST(Saga, loses_no_timer_with_a_reply_that_is_undone) {
  OrderService service;
  ASSERT_TRUE(service.place("7"));
  EXPECT_FALSE(service.database.write([&](SqlTransaction& transaction) -> Result<> {
    service.deliver(transaction, "place_order.v1/7", 1,
                    R"({"status":"done","reply":{"order":"7"}})");
    return out_of_stock;
  }));
  EXPECT_EQ(service.pass(24h), 1U);
  EXPECT_EQ(service.state("7"), "rejected");
}

// --- The other steps -----------------------------------------------------------------------------

struct ThingId : Id<ThingId> {};
struct Nothing {};
BOOST_DESCRIBE_STRUCT(Nothing, (), ())

struct Seen {
  std::vector<Time> times;
  std::vector<ThingId> ids;
  std::vector<std::int64_t> counts;
};
Seen seen;

constexpr sql::Query<std::int64_t()> count_orders{"select count(*) from orders"};

Saga look(SagaContext<Hold> saga, Nothing) {
  const Time begun = co_await saga.now();
  const ThingId id = co_await saga.make<ThingId>();
  const auto count = co_await saga.run(
      "count", [](SqlTransaction& transaction) { return transaction.first(count_orders).value(); });
  co_await saga.sleep(2h);
  const Time rested = co_await saga.now();
  (void)co_await saga.request(Hold{"x", 1});
  seen.times.push_back(begun);
  seen.times.push_back(rested);
  seen.ids.push_back(id);
  seen.counts.push_back(count.value());
  co_await saga.sleep(1h);
  seen.times.push_back(begun);
  seen.ids.push_back(id);
  seen.counts.push_back(count.value());
}
constexpr SagaDefinition looking{"look.v1", look};

TEST(Saga, gets_the_same_time_id_and_value_in_every_replay) {
  seen = {};
  OrderService service{[](Sagas& sagas) { sagas.runs(looking); }};
  ASSERT_TRUE(service.write([](SqlTransaction& t) { looking.start(t, "1", {}); }));
  const Time begun = now();
  ASSERT_TRUE(service.write([](SqlTransaction& t) { t.run(insert_order, "1"); }));
  EXPECT_EQ(service.pass(1h), 0U);
  EXPECT_EQ(service.pass(1h), 1U);
  ASSERT_TRUE(service.take("look.v1/1", 6, R"({"status":"done","reply":{"order":"x"}})"));
  service.restart();
  EXPECT_EQ(service.pass(1h), 1U);
  EXPECT_EQ(service.saga("look.v1/1").status, SagaStatus::ended);
  EXPECT_THAT(seen.times, ElementsAre(begun, begun + 2h, begun, begun + 2h, begun));
  EXPECT_EQ(seen.ids.size(), 3U);
  EXPECT_EQ(seen.ids.front(), seen.ids.back());
  EXPECT_THAT(seen.counts, ElementsAre(0, 0, 0));
}

Saga pass_the_pivot(SagaContext<Hold, Release, Sell> saga, Nothing) {
  (void)co_await saga.request(Hold{"p", 1}).undo(Release{"p"});
  co_await saga.tell(Sell{"p"});
  co_await saga.sleep(1h);
  co_return co_await saga.fail("late", [](SqlTransaction& t) { t.run(add_effect, "p", "failed"); });
}
constexpr SagaDefinition passing{"pass.v1", pass_the_pivot};

TEST(Saga, undoes_nothing_behind_its_pivot) {
  OrderService service{[](Sagas& sagas) { sagas.runs(passing); }};
  ASSERT_TRUE(service.write([](SqlTransaction& t) { passing.start(t, "1", {}); }));
  ASSERT_TRUE(service.take("pass.v1/1", 1, R"({"status":"done","reply":{"order":"p"}})"));
  EXPECT_EQ(service.pass(1h), 1U);
  EXPECT_EQ(service.saga("pass.v1/1").status, SagaStatus::failed);
  EXPECT_THAT(service.effects("p"), ElementsAre("failed"));
  EXPECT_THAT(service.commands("p"), ElementsAre("stock.hold.v1 pass.v1/1/1", "stock.sell.v1"));
}

// --- Frames --------------------------------------------------------------------------------------

std::atomic<int> frames_alive = 0;
struct Alive {
  Alive() { ++frames_alive; }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
  ~Alive() { --frames_alive; }
};

Saga live(SagaContext<Hold> saga, Nothing) {
  const Alive alive;
  (void)co_await saga.request(Hold{"x", 1});
  EXPECT_EQ(frames_alive, 1);
  (void)co_await saga.run("throw", [](SqlTransaction&) { throw std::runtime_error("no"); });
}
constexpr SagaDefinition living{"live.v1", live};

TEST(Saga, has_a_frame_only_while_it_is_resumed) {
  OrderService service{[](Sagas& sagas) { sagas.runs(living); }};
  ASSERT_TRUE(service.write([](SqlTransaction& t) { living.start(t, "1", {}); }));
  EXPECT_EQ(frames_alive, 0);
  ASSERT_TRUE(service.take("live.v1/1", 1, R"({"status":"done","reply":{"order":"x"}})"));
  EXPECT_EQ(frames_alive, 0);
}

}  // namespace
}  // namespace freehold
