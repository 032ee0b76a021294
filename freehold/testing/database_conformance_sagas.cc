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
          .started = at(1)};
}

JournalEntry waiting(int step, Time due = {}) {
  return {.step = step,
          .name = "request product.reserve_stock.v1",
          .request_hash = 0xfedcba9876543210,
          .state = StepState::waiting,
          .outcome = {},
          .due = due};
}

std::vector<std::string> ids(const std::vector<SagaRecord>& sagas) {
  std::vector<std::string> ids;
  ids.reserve(sagas.size());
  for (const SagaRecord& saga : sagas) ids.push_back(saga.id);
  return ids;
}

TEST_P(DatabaseConformance, a_saga_is_started_once_and_kept_with_its_input) {
  in_books([](Books& books) {
    EXPECT_TRUE(books.start_saga(a_saga("one")));
    SagaRecord other = a_saga("one");
    other.input = "{}";
    EXPECT_FALSE(books.start_saga(other));
  });
  reopen();
  const auto saga = in_books([](Books& books) { return books.saga("one"); });
  ASSERT_TRUE(saga);
  EXPECT_EQ(saga->type, "place_order.v1");
  EXPECT_EQ(saga->input, "{\"order\":1}");
  EXPECT_EQ(saga->status, SagaStatus::running);
  EXPECT_EQ(saga->started, at(1));
  EXPECT_EQ(in_books([](Books& books) { return books.saga("two"); }), std::nullopt);
}

TEST_P(DatabaseConformance, sagas_are_listed_and_counted_by_what_became_of_them) {
  in_books([](Books& books) {
    for (const char* id : {"a", "b", "c", "d", "e"}) EXPECT_TRUE(books.start_saga(a_saga(id)));
    books.end_saga("a", SagaStatus::ended, "");
    books.end_saga("b", SagaStatus::failed, "out_of_stock");
    books.end_saga("c", SagaStatus::parked, "an undo failed");
    EXPECT_THAT(ids(books.sagas(SagaStatus::running, "", 10)), ElementsAre("d", "e"));
    EXPECT_THAT(ids(books.sagas(SagaStatus::running, "d", 10)), ElementsAre("e"));
    EXPECT_THAT(ids(books.sagas(SagaStatus::running, "", 1)), ElementsAre("d"));
    EXPECT_THAT(ids(books.sagas(SagaStatus::ended, "", 10)), ElementsAre("a"));
    EXPECT_EQ(books.count_sagas(SagaStatus::running), 2);
    EXPECT_EQ(books.count_sagas(SagaStatus::failed), 1);
    EXPECT_EQ(books.count_sagas(SagaStatus::diverged), 0);
    EXPECT_EQ(books.saga("b")->why, "out_of_stock");
    EXPECT_EQ(books.saga("c")->status, SagaStatus::parked);
    books.end_saga("c", SagaStatus::running, "");
    EXPECT_EQ(books.count_sagas(SagaStatus::running), 3);
  });
}

TEST_P(DatabaseConformance, the_first_entry_of_a_step_wins) {
  in_books([](Books& books) {
    EXPECT_TRUE(books.start_saga(a_saga("one")));
    books.add_step("one", waiting(2, at(9)));
    JournalEntry again = waiting(2, at(5));
    again.name = "another";
    books.add_step("one", again);
    JournalEntry done = waiting(1);
    done.state = StepState::done;
    done.outcome = "1";
    books.add_step("one", done);

    const auto journal = books.journal("one");
    ASSERT_EQ(journal.size(), 2U);
    EXPECT_EQ(journal[0].step, 1);
    EXPECT_EQ(journal[0].state, StepState::done);
    EXPECT_EQ(journal[0].outcome, "1");
    EXPECT_EQ(journal[1].name, "request product.reserve_stock.v1");
    EXPECT_EQ(journal[1].request_hash, 0xfedcba9876543210);
    EXPECT_EQ(journal[1].due, at(9));
    EXPECT_EQ(books.next_timer(), at(9)) << "a timer of an entry that lost";
    EXPECT_EQ(books.due_timers(at(9), 10).size(), 1U);
  });
}

TEST_P(DatabaseConformance, the_first_outcome_of_a_step_wins_and_later_ones_are_kept_beside) {
  in_books([](Books& books) {
    EXPECT_TRUE(books.start_saga(a_saga("one")));
    books.add_step("one", waiting(1, at(9)));
    EXPECT_TRUE(books.end_step("one", 1, StepState::refused, "\"out_of_stock\""));
    EXPECT_FALSE(books.end_step("one", 1, StepState::done, "\"a reply\""));
    EXPECT_FALSE(books.end_step("one", 1, StepState::done, "\"another\""));
    EXPECT_FALSE(books.end_step("one", 7, StepState::done, "\"of no step\""));
    EXPECT_FALSE(books.end_step("unknown", 1, StepState::done, "\"of no saga\""));

    const auto journal = books.journal("one");
    ASSERT_EQ(journal.size(), 1U);
    EXPECT_EQ(journal[0].state, StepState::refused);
    EXPECT_EQ(journal[0].outcome, "\"out_of_stock\"");
    const auto late = books.late_outcomes("one");
    ASSERT_EQ(late.size(), 3U);
    EXPECT_EQ(late[0].outcome, "\"a reply\"");
    EXPECT_EQ(late[0].state, StepState::late);
    EXPECT_EQ(late[1].outcome, "\"another\"");
    EXPECT_EQ(late[2].step, 7);
    EXPECT_EQ(books.late_outcomes("unknown").size(), 1U);
  });
}

TEST_P(DatabaseConformance, of_a_reply_and_a_timeout_that_race_one_ends_the_step) {
  for (int round = 0; round < 10; ++round) {
    const std::string id = "saga " + std::to_string(round);
    in_books([&](Books& books) {
      EXPECT_TRUE(books.start_saga(a_saga(id)));
      books.add_step(id, waiting(1, at(9)));
    });
    std::atomic<int> won = 0;
    std::vector<std::thread> racers;
    for (const char* outcome : {"\"reply\"", "\"timeout\""})
      racers.emplace_back([&, outcome] {
        if (in_books([&](Books& books) { return books.end_step(id, 1, StepState::done, outcome); }))
          ++won;
      });
    for (std::thread& racer : racers) racer.join();
    EXPECT_EQ(won, 1);
    EXPECT_EQ(in_books([&](Books& books) { return books.late_outcomes(id); }).size(), 1U);
  }
}

TEST_P(DatabaseConformance, timers_come_in_the_order_of_time_and_go_with_their_step) {
  in_books([](Books& books) {
    EXPECT_EQ(books.next_timer(), std::nullopt);
    EXPECT_TRUE(books.start_saga(a_saga("one")));
    EXPECT_TRUE(books.start_saga(a_saga("two")));
    books.add_step("one", waiting(1, at(30)));
    books.add_step("two", waiting(4, at(10)));
    books.add_step("one", waiting(2, at(20)));
    books.add_step("one", waiting(3));
    EXPECT_EQ(books.next_timer(), at(10));
    EXPECT_THAT(books.due_timers(at(9), 10), IsEmpty());
    EXPECT_EQ(books.due_timers(at(10), 10).size(), 1U);
    const auto due = books.due_timers(at(30), 10);
    ASSERT_EQ(due.size(), 3U);
    EXPECT_EQ(due[0].saga, "two");
    EXPECT_EQ(due[0].step, 4);
    EXPECT_EQ(due[1].due, at(20));
    EXPECT_EQ(due[2].step, 1);
    EXPECT_EQ(books.due_timers(at(30), 2).size(), 2U);
    EXPECT_TRUE(books.end_step("two", 4, StepState::done, "null"));
    EXPECT_EQ(books.next_timer(), at(20));
    EXPECT_EQ(books.due_timers(at(30), 10).size(), 2U);
  });
}

TEST_P(DatabaseConformance, a_saga_that_ended_has_no_timers) {
  in_books([](Books& books) {
    EXPECT_TRUE(books.start_saga(a_saga("one")));
    books.add_step("one", waiting(1, at(30)));
    books.add_step("one", waiting(2, at(40)));
    EXPECT_TRUE(books.end_step("one", 1, StepState::done, "null"));
    books.end_saga("one", SagaStatus::parked, "waits");
    EXPECT_EQ(books.next_timer(), at(40)) << "a parked saga may go on";
    books.end_saga("one", SagaStatus::ended, "");
    EXPECT_EQ(books.next_timer(), std::nullopt);
  });
}

TEST_P(DatabaseConformance, sagas_that_ended_are_forgotten_in_pieces_and_others_are_not) {
  in_books([](Books& books) {
    for (const char* id : {"a", "b", "c", "live"}) {
      EXPECT_TRUE(books.start_saga(a_saga(id)));
      books.add_step(id, waiting(1));
      EXPECT_TRUE(books.end_step(id, 1, StepState::done, "null"));
      EXPECT_FALSE(books.end_step(id, 1, StepState::done, "late"));
    }
    EXPECT_FALSE(books.end_step("unknown", 1, StepState::done, "late"));
    for (const char* id : {"a", "b", "c"}) books.end_saga(id, SagaStatus::ended, "");
    EXPECT_EQ(books.forget_sagas(now() - hours{1}, 10), 0U);
    EXPECT_EQ(books.forget_sagas(now() + hours{1}, 2), 2U);
    EXPECT_EQ(books.count_sagas(SagaStatus::ended), 1);
    EXPECT_EQ(books.forget_sagas(now() + hours{1}, 2), 1U);
    EXPECT_EQ(books.forget_sagas(now() + hours{1}, 2), 0U);
    EXPECT_EQ(books.saga("a"), std::nullopt);
    EXPECT_THAT(books.journal("a"), IsEmpty());
    EXPECT_THAT(books.late_outcomes("a"), IsEmpty());
    EXPECT_THAT(books.late_outcomes("unknown"), IsEmpty());
    EXPECT_TRUE(books.saga("live"));
    EXPECT_EQ(books.journal("live").size(), 1U);
    EXPECT_EQ(books.late_outcomes("live").size(), 1U);
    EXPECT_TRUE(books.start_saga(a_saga("a")));
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

TEST_P(DatabaseConformance, answers_are_read_from_a_time_on_and_in_pages) {
  std::vector<std::uint64_t> sequences;
  in_books([&](Books& books) {
    sequences.clear();
    for (const std::int64_t second : {1, 5, 5, 9})
      sequences.push_back(books.remember_answer(an_answer("k", at(second))));
  });
  EXPECT_TRUE(std::ranges::is_sorted(sequences, std::less_equal{}));
  const auto found = [&](std::uint64_t after, Time since, std::size_t answers_max) {
    std::vector<std::uint64_t> found;
    for (const StoredAnswer& answer :
         in_books([&](Books& books) { return books.answers_after(after, since, answers_max); }))
      found.push_back(answer.sequence);
    return found;
  };
  EXPECT_EQ(found(0, Time{}, 10), sequences);
  EXPECT_THAT(found(0, at(5), 10), ElementsAre(sequences[1], sequences[2], sequences[3]));
  EXPECT_THAT(found(sequences[1], at(5), 1), ElementsAre(sequences[2]));
  EXPECT_THAT(found(sequences[3], Time{}, 10), IsEmpty());
}

TEST_P(DatabaseConformance, a_sequence_is_given_out_once_also_after_all_answers_were_forgotten) {
  std::uint64_t before = 0;
  in_books([&](Books& books) {
    books.remember_answer(an_answer("a", at(1)));
    before = books.remember_answer(an_answer("b", at(2)));
    EXPECT_EQ(books.forget_answers(at(3), 1), 1U);
    EXPECT_EQ(books.answers_after(0, Time{}, 10).size(), 1U) << "the oldest go first";
    EXPECT_EQ(books.forget_answers(at(3), 10), 1U);
    EXPECT_EQ(books.forget_answers(at(3), 10), 0U);
  });
  reopen();
  EXPECT_GT(in_books([](Books& books) { return books.remember_answer(an_answer("c", at(3))); }),
            before);
}

TEST_P(DatabaseConformance, sequences_grow_when_the_clock_goes_back) {
  in_books([](Books& books) {
    const std::uint64_t before = books.remember_answer(an_answer("a", at(9)));
    EXPECT_GT(books.remember_answer(an_answer("b", at(1))), before);
    const auto since = books.answers_after(0, at(5), 10);
    ASSERT_EQ(since.size(), 1U);
    EXPECT_EQ(since[0].key, "a") << "time decides, not the sequence";
  });
}

}  // namespace
}  // namespace freehold
