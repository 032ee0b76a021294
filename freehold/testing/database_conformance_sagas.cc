// SPDX-License-Identifier: Apache-2.0
//
// Sagas, their journals and timers, and the answers of idempotent calls.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <thread>

#include "freehold/testing/database_conformance.h"

namespace freehold {
namespace {

using std::chrono::hours;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;

Time at(std::int64_t second_of_day) {
  return Time{} + hours{24 * 20000} + seconds{second_of_day};
}

SagaRecord a_saga(std::string id) {
  return {.id = std::move(id),
          .type = "place_order.v1",
          .input = "{\"order\":1}",
          .status = SagaStatus::running,
          .why = {},
          .started = at(1),
          .trace_parent = "00-11-22-01"};
}

JournalEntry step(StepState state, std::string outcome = "null") {
  return {.name = "request product.reserve_stock.v1",
          .request_hash = 0xfedcba9876543210,
          .state = state,
          .outcome = {std::move(outcome)}};
}

SagaRecord waiting(std::string id, Time due = {}) {
  SagaRecord saga = a_saga(std::move(id));
  saga.journal.push_back(step(StepState::waiting));
  saga.due = due;
  return saga;
}

void give(Books& books, std::string_view id, SagaStatus status, std::string why = {}) {
  SagaRecord saga = books.lock_saga(id).value();
  saga.status = status;
  saga.why = std::move(why);
  if (status == SagaStatus::ended || status == SagaStatus::failed) saga.due = {};
  books.save_saga(saga);
}

std::vector<std::string> ids(const std::vector<SagaRecord>& sagas) {
  std::vector<std::string> ids;
  ids.reserve(sagas.size());
  for (const SagaRecord& saga : sagas) ids.push_back(saga.id);
  return ids;
}

TEST_P(DatabaseConformance, a_saga_is_added_once_and_kept_with_its_input_and_journal) {
  // Where it is added may be assumed once: the run that is committed knows it.
  const auto added = in_books([](Books& books) {
    SagaRecord saga = waiting("one", at(9));
    saga.journal.insert(saga.journal.begin(), step(StepState::refused, R"({"name":"sold_out"})"));
    SagaRecord other = a_saga("one");
    other.input = "{}";
    const bool first = books.add_saga(saga);
    return std::pair{first, books.add_saga(other)};
  });
  EXPECT_EQ(added, (std::pair{true, false}));
  reopen();
  const auto saga = in_books([](Books& books) { return books.saga("one"); });
  ASSERT_TRUE(saga);
  EXPECT_EQ(saga->type, "place_order.v1");
  EXPECT_EQ(saga->input, "{\"order\":1}");
  EXPECT_EQ(saga->status, SagaStatus::running);
  EXPECT_EQ(saga->started, at(1));
  EXPECT_EQ(saga->due, at(9));
  EXPECT_EQ(saga->trace_parent, "00-11-22-01");
  ASSERT_EQ(saga->journal.size(), 2U);
  EXPECT_EQ(saga->journal[0].name, "request product.reserve_stock.v1");
  EXPECT_EQ(saga->journal[0].request_hash, 0xfedcba9876543210);
  EXPECT_EQ(saga->journal[0].state, StepState::refused);
  EXPECT_EQ(saga->journal[0].outcome.text, R"({"name":"sold_out"})");
  EXPECT_EQ(saga->journal[1].state, StepState::waiting);
  EXPECT_EQ(saga->waiting_step(), 2);
  EXPECT_EQ(in_books([](Books& books) { return books.saga("two"); }), std::nullopt);
}

TEST_P(DatabaseConformance, a_saga_is_written_back_as_a_whole) {
  in_books([](Books& books) { EXPECT_TRUE(books.add_saga(waiting("one", at(9)))); });
  in_books([](Books& books) {
    SagaRecord saga = books.lock_saga("one").value();
    saga.journal.back() = step(StepState::done, R"({"reserved":true})");
    saga.journal.push_back(step(StepState::waiting));
    saga.why = "payment has set it aside";
    saga.due = at(20);
    books.save_saga(saga);
  });
  const SagaRecord saga = in_books([](Books& books) { return books.saga("one"); }).value();
  ASSERT_EQ(saga.journal.size(), 2U);
  EXPECT_EQ(saga.journal[0].outcome.text, R"({"reserved":true})");
  EXPECT_EQ(saga.waiting_step(), 2);
  EXPECT_EQ(saga.why, "payment has set it aside");
  EXPECT_EQ(saga.due, at(20));
  EXPECT_EQ(saga.trace_parent, "00-11-22-01");
}

TEST_P(DatabaseConformance, sagas_are_listed_and_counted_by_what_became_of_them) {
  in_books([](Books& books) {
    for (const char* id : {"a", "b", "c", "d", "e"}) EXPECT_TRUE(books.add_saga(a_saga(id)));
    give(books, "a", SagaStatus::ended);
    give(books, "b", SagaStatus::failed, "out_of_stock");
    give(books, "c", SagaStatus::parked, "an undo failed");
    SagaRecord at_once = a_saga("f");
    at_once.status = SagaStatus::ended;
    EXPECT_TRUE(books.add_saga(at_once));
    EXPECT_THAT(ids(books.sagas(SagaStatus::running, "", 10)), ElementsAre("d", "e"));
    EXPECT_THAT(ids(books.sagas(SagaStatus::running, "d", 10)), ElementsAre("e"));
    EXPECT_THAT(ids(books.sagas(SagaStatus::running, "", 1)), ElementsAre("d"));
    EXPECT_THAT(ids(books.sagas(SagaStatus::ended, "", 10)), ElementsAre("a", "f"));
    EXPECT_EQ(books.count_sagas(SagaStatus::running), 2);
    EXPECT_EQ(books.count_sagas(SagaStatus::failed), 1);
    EXPECT_EQ(books.count_sagas(SagaStatus::diverged), 0);
    EXPECT_EQ(books.saga("b")->why, "out_of_stock");
    EXPECT_EQ(books.saga("c")->status, SagaStatus::parked);
    give(books, "c", SagaStatus::running);
    EXPECT_EQ(books.count_sagas(SagaStatus::running), 3);
  });
}

TEST_P(DatabaseConformance, of_two_outcomes_that_race_one_ends_the_step) {
  for (int round = 0; round < 10; ++round) {
    const std::string id = "saga " + std::to_string(round);
    in_books([&](Books& books) { EXPECT_TRUE(books.add_saga(waiting(id, at(9)))); });
    std::atomic<int> won = 0;
    std::vector<std::thread> racers;
    for (const char* outcome : {"\"reply\"", "\"timeout\""})
      racers.emplace_back([&, outcome] {
        const bool has_won = in_books([&](Books& books) {
          SagaRecord saga = books.lock_saga(id).value();
          if (saga.waiting_step() != 1) return false;
          saga.journal.back() = step(StepState::done, outcome);
          saga.due = {};
          books.save_saga(saga);
          return true;
        });
        if (has_won) ++won;
      });
    for (std::thread& racer : racers) racer.join();
    EXPECT_EQ(won, 1);
  }
}

TEST_P(DatabaseConformance, late_outcomes_are_kept_beside_by_step_and_arrival) {
  in_books([](Books& books) {
    EXPECT_TRUE(books.add_saga(waiting("one")));
    books.note_late("one", 7, "\"of no step\"");
    books.note_late("one", 1, "\"a reply\"");
    books.note_late("one", 1, "\"another\"");
    books.note_late("unknown", 1, "\"of no saga\"");
    const auto late = books.late_outcomes("one");
    ASSERT_EQ(late.size(), 3U);
    EXPECT_EQ(late[0].outcome, "\"a reply\"");
    EXPECT_EQ(late[1].outcome, "\"another\"");
    EXPECT_EQ(late[2].step, 7);
    EXPECT_EQ(books.late_outcomes("unknown").size(), 1U);
    EXPECT_EQ(books.saga("one")->waiting_step(), 1);
  });
}

TEST_P(DatabaseConformance, timers_come_in_the_order_of_time_and_go_with_their_step) {
  in_books([](Books& books) {
    EXPECT_EQ(books.next_timer(), std::nullopt);
    EXPECT_TRUE(books.add_saga(waiting("one", at(30))));
    EXPECT_TRUE(books.add_saga(waiting("two", at(10))));
    EXPECT_TRUE(books.add_saga(waiting("three", at(20))));
    EXPECT_TRUE(books.add_saga(waiting("four")));
    EXPECT_EQ(books.next_timer(), at(10));
    EXPECT_THAT(books.due_sagas(at(9), 10), IsEmpty());
    EXPECT_THAT(books.due_sagas(at(10), 10), ElementsAre("two"));
    EXPECT_THAT(books.due_sagas(at(30), 10), ElementsAre("two", "three", "one"));
    EXPECT_THAT(books.due_sagas(at(30), 2), ElementsAre("two", "three"));
    SagaRecord two = books.lock_saga("two").value();
    two.journal.back() = step(StepState::done);
    two.due = {};
    books.save_saga(two);
    EXPECT_EQ(books.next_timer(), at(20));
    give(books, "three", SagaStatus::parked, "waits");
    EXPECT_EQ(books.next_timer(), at(20)) << "a parked saga may go on";
    give(books, "three", SagaStatus::ended);
    EXPECT_THAT(books.due_sagas(at(30), 10), ElementsAre("one"));
  });
}

TEST_P(DatabaseConformance, sagas_that_ended_are_forgotten_in_pieces_and_others_are_not) {
  in_books([](Books& books) {
    for (const char* id : {"a", "b", "c", "live"}) {
      EXPECT_TRUE(books.add_saga(waiting(id)));
      books.note_late(id, 1, "late");
    }
    books.note_late("unknown", 1, "late");
    for (const char* id : {"a", "b", "c"}) give(books, id, SagaStatus::ended);
    EXPECT_EQ(books.forget_sagas(now() - hours{1}, 10), 0U);
    EXPECT_EQ(books.forget_sagas(now() + hours{1}, 2), 2U);
    EXPECT_EQ(books.count_sagas(SagaStatus::ended), 1);
    EXPECT_EQ(books.forget_sagas(now() + hours{1}, 2), 1U);
    EXPECT_EQ(books.forget_sagas(now() + hours{1}, 2), 0U);
    EXPECT_EQ(books.saga("a"), std::nullopt);
    EXPECT_THAT(books.late_outcomes("a"), IsEmpty());
    EXPECT_THAT(books.late_outcomes("unknown"), IsEmpty());
    EXPECT_TRUE(books.saga("live"));
    EXPECT_EQ(books.late_outcomes("live").size(), 1U);
    EXPECT_TRUE(books.add_saga(a_saga("a")));
  });
}

StoredAnswer an_answer(std::string key, Time when) {
  return {.sequence = 0,
          .scope = "customer POST /api/orders",
          .key = std::move(key),
          .request_hash = 0xfedcba9876543210,
          .status = 202,
          .body = "{}",
          .location = "/api/orders/1",
          .at = when};
}

TEST_P(DatabaseConformance, an_answer_comes_back_under_its_sequence) {
  if (database().is_shared()) GTEST_SKIP() << "there an answer has no sequence";
  const std::uint64_t sequence =
      in_books([](Books& books) { return books.remember_answer(an_answer("k", at(1))); });
  reopen();
  const auto answer = in_books([=](Books& books) { return books.answer(sequence); });
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->sequence, sequence);
  EXPECT_EQ(answer->scope, "customer POST /api/orders");
  EXPECT_EQ(answer->key, "k");
  EXPECT_EQ(answer->request_hash, 0xfedcba9876543210);
  EXPECT_EQ(answer->status, 202);
  EXPECT_EQ(answer->body, "{}");
  EXPECT_EQ(answer->location, "/api/orders/1");
  EXPECT_EQ(answer->at, at(1));
  EXPECT_EQ(in_books([=](Books& books) { return books.answer(sequence + 1); }), std::nullopt);
}

TEST_P(DatabaseConformance, keys_of_answers_are_read_in_pages_and_tell_their_age) {
  if (database().is_shared()) GTEST_SKIP() << "there an answer has no sequence";
  std::vector<std::uint64_t> sequences;
  in_books([&](Books& books) {
    sequences.clear();
    for (const std::int64_t second : {1, 5, 5, 9})
      sequences.push_back(books.remember_answer(an_answer("k", at(second))));
  });
  EXPECT_TRUE(std::ranges::is_sorted(sequences, std::less_equal{}));
  const auto found = [&](std::uint64_t after, std::size_t answers_max) {
    std::vector<std::uint64_t> found;
    for (const AnswerKey& answer :
         in_books([&](Books& books) { return books.answer_keys_after(after, answers_max); })) {
      EXPECT_EQ(answer.scope, "customer POST /api/orders");
      EXPECT_EQ(answer.key, "k");
      found.push_back(answer.sequence);
    }
    return found;
  };
  EXPECT_EQ(found(0, 10), sequences);
  EXPECT_THAT(found(sequences[1], 1), ElementsAre(sequences[2]));
  EXPECT_THAT(found(sequences[3], 10), IsEmpty());
  EXPECT_EQ(sequences[0], at(1).time_since_epoch().count());
  EXPECT_EQ(sequences[3], at(9).time_since_epoch().count());
}

TEST_P(DatabaseConformance, a_sequence_is_given_out_once_also_after_all_answers_were_forgotten) {
  if (database().is_shared()) GTEST_SKIP() << "there an answer has no sequence";
  std::uint64_t before = 0;
  in_books([&](Books& books) {
    books.remember_answer(an_answer("a", at(1)));
    before = books.remember_answer(an_answer("b", at(2)));
    EXPECT_EQ(books.forget_answers(seconds{0}, 1), 1U);
    EXPECT_EQ(books.answer_keys_after(0, 10).size(), 1U) << "the oldest go first";
    EXPECT_EQ(books.forget_answers(seconds{0}, 10), 1U);
    EXPECT_EQ(books.forget_answers(seconds{0}, 10), 0U);
  });
  reopen();
  EXPECT_GT(in_books([](Books& books) { return books.remember_answer(an_answer("c", at(3))); }),
            before);
}

TEST_P(DatabaseConformance, sequences_grow_when_the_clock_goes_back) {
  if (database().is_shared()) GTEST_SKIP() << "there an answer has no sequence";
  in_books([](Books& books) {
    const std::uint64_t before = books.remember_answer(an_answer("a", at(9)));
    EXPECT_GT(books.remember_answer(an_answer("b", at(1))), before);
  });
}

}  // namespace
}  // namespace freehold
