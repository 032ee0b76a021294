// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/idempotent_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/database/watch.h"
#include "freehold/http/testing/served_routes.h"
#include "freehold/http/testing/shifted_clock.h"

namespace freehold::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct Place {
  std::string what;
  int wait_ms = 0;
  bool refused = false;
};
BOOST_DESCRIBE_STRUCT(Place, (), (what, wait_ms, refused))

struct Placed {
  std::int64_t number = 0;
  std::string what;
};
BOOST_DESCRIBE_STRUCT(Placed, (), (number, what))

constexpr sql::Change<void(std::string_view)> insert_note{"insert into note (text) values ($1)"};
constexpr sql::Query<std::int64_t()> count_notes{"select count(*) as number from note"};

class Notes {
 public:
  explicit Notes(Database& database) : database_(database) {}

  Task<Result<Committed<Placed>>> place(Place in, IdempotentCall call) {
    auto end_of_wait = goes_on.begin("");
    ++handled;
    co_await end_of_wait.next(deadline_in(std::chrono::milliseconds{in.wait_ms}));
    FREEHOLD_CO_TRY(
        auto committed,
        co_await call.write(database_, [in](SqlTransaction& transaction) -> Result<Reply<Placed>> {
          transaction.run(insert_note, in.what);
          if (in.refused) return errors::precondition_failed;
          const auto number = transaction.first(count_notes).value();
          return Reply<Placed>{.status = 202, .body = {number, in.what}, .location = "/notes/1"};
        }));
    if (call.wait() > 0s) {
      Reply<Placed> finished{.status = 201, .body = {committed.reply().body.number, "finished"}};
      co_return std::move(committed).answered_now(std::move(finished));
    }
    co_return committed;
  }

  std::atomic<int> handled = 0;
  Watches goes_on;  // whoever waits

 private:
  Database& database_;
};

class IdempotentCallTest : public testing::Test {
 protected:
  IdempotentCallTest() {
    SqliteOptions options;
    options.directory = directory_.path() / "data";
    options.executor = served_.executor();
    options.service = "test";
    database_ = SqliteDatabase::open(options).value();
    EXPECT_TRUE(database_->write_now([](SqlTransaction& transaction) {
      transaction.run_script("create table note (id integer primary key, text text not null)");
      return Result<>{};
    }));
    notes_ = std::make_unique<Notes>(*database_);
    answers_ = std::make_unique<RememberedAnswers>(*database_);
    served_.routes().post<"/notes">(&Notes::place, *notes_).signed_in();
    served_.routes().post<"/other">(&Notes::place, *notes_).signed_in();
    served_.routes().remember_answers_in(*answers_);
    served_.start();
  }

 public:
  ~IdempotentCallTest() override {
    served_.stop(5s);
    database_->stop();
  }

 protected:
  RawAnswer place(std::string_view key, std::string_view what, std::string_view more = {},
                  std::string_view target = "/notes", std::string_view user = "ann",
                  std::string_view headers = {}) {
    RawClient client{served_.port()};
    std::string lines{headers};
    lines.append("Authorization: Bearer ").append(user).append(":\r\n");
    if (!key.empty()) lines.append("Idempotency-Key: ").append(key).append("\r\n");
    std::string body = R"({"what":")" + std::string{what} + '"';
    body += more.empty() ? R"(,"wait_ms":0,"refused":false})" : std::string{more} + "}";
    return client.ask(request("POST", target, lines, body));
  }
  std::int64_t notes() {
    std::int64_t count = 0;
    EXPECT_TRUE(database_->read_now(
        [&](SqlTransaction& transaction) { count = transaction.first(count_notes).value(); }));
    return count;
  }
  std::size_t stored() {
    std::size_t count = 0;
    EXPECT_TRUE(database_->read_now([&](SqlTransaction& transaction) {
      count = transaction.books().answer_keys_after(0, 10'000).size();
    }));
    return count;
  }

  ShiftedClock clock_;
  TemporaryDirectory directory_;
  ServedRoutes served_;
  std::unique_ptr<SqliteDatabase> database_;
  std::unique_ptr<Notes> notes_;
  std::unique_ptr<RememberedAnswers> answers_;
  std::unique_ptr<RememberedAnswers> others_;  // outlive the last handler that used them
};

TEST_F(IdempotentCallTest, a_repeat_gets_the_first_answer_and_has_no_effect) {
  const RawAnswer first = place("key-1", "a");
  EXPECT_EQ(first.status, 202);
  EXPECT_EQ(first.header("Idempotency-Replayed"), "");
  for (int i = 0; i < 3; ++i) {
    const RawAnswer again = place("key-1", "a");
    EXPECT_EQ(again.status, 202);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.header("Location"), "/notes/1");
    EXPECT_EQ(again.header("Content-Type"), "application/json");
    EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
  }
  EXPECT_EQ(notes(), 1);
  EXPECT_EQ(notes_->handled, 1);
}

TEST_F(IdempotentCallTest, a_key_is_required_and_has_255_visible_characters_at_most) {
  const RawAnswer none = place("", "a");
  EXPECT_EQ(none.status, 400);
  EXPECT_THAT(none.body, HasSubstr("freehold/idempotency_key_required"));
  EXPECT_THAT(place("two words", "a").body, HasSubstr("freehold/malformed"));
  EXPECT_THAT(place("caf\xc3\xa9", "a").body, HasSubstr("freehold/malformed"));
  EXPECT_THAT(place(std::string(256, 'k'), "a").body, HasSubstr("freehold/malformed"));
  EXPECT_EQ(notes(), 0);
  EXPECT_EQ(place(std::string(255, 'k'), "a").status, 202);
}

TEST_F(IdempotentCallTest, another_payload_under_the_same_key_is_refused) {
  EXPECT_EQ(place("key-1", "a").status, 202);
  const RawAnswer other = place("key-1", "b");
  EXPECT_EQ(other.status, 422);
  EXPECT_THAT(other.body, HasSubstr("freehold/idempotency_key_reused"));
  EXPECT_EQ(place("key-1", "a", R"(, "refused" : false, "wait_ms":0)").status, 202)
      << "the same payload, spelled in another way";
  EXPECT_EQ(notes(), 1);
}

TEST_F(IdempotentCallTest, a_key_belongs_to_one_caller_and_one_route) {
  EXPECT_EQ(place("key-1", "a").status, 202);
  EXPECT_EQ(place("key-1", "a", {}, "/notes", "bob").header("Idempotency-Replayed"), "");
  EXPECT_EQ(place("key-1", "a", {}, "/other").header("Idempotency-Replayed"), "");
  EXPECT_EQ(notes(), 3);
}

TEST_F(IdempotentCallTest, of_two_requests_at_once_the_second_waits_and_replays) {
  constexpr std::string_view slow = R"(,"wait_ms":150,"refused":false)";
  RawAnswer first;
  std::jthread earlier{[&] { first = place("key-1", "a", slow); }};
  EXPECT_TRUE(comes_true([&] { return notes_->handled == 1; }));
  const RawAnswer second = place("key-1", "a", slow);
  earlier.join();
  EXPECT_EQ(second.header("Idempotency-Replayed"), "true");
  EXPECT_EQ(second.body, first.body);
  EXPECT_EQ(notes_->handled, 1);
}

TEST_F(IdempotentCallTest, many_requests_at_once_have_one_effect_each_key) {
  std::vector<std::jthread> clients;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&] {
      for (int key = 0; key < 20; ++key)
        if (place("key-" + std::to_string(key), "a").status == 202) ++answered;
    });
  clients.clear();
  EXPECT_EQ(answered, 160);
  EXPECT_EQ(notes(), 20);
}

TEST_F(IdempotentCallTest, one_that_waits_too_long_is_told_that_nobody_knows) {
  std::jthread earlier{[&] { place("key-1", "a", R"(,"wait_ms":10000,"refused":false)"); }};
  EXPECT_TRUE(comes_true([&] { return notes_->handled == 1; }));
  const RawAnswer second = place("key-1", "a", R"(,"wait_ms":10000,"refused":false)", "/notes",
                                 "ann", "Freehold-Timeout-Ms: 30\r\n");
  EXPECT_EQ(second.status, 504);
  notes_->goes_on.changed("");
}

TEST_F(IdempotentCallTest, what_was_refused_is_decided_anew) {
  for (int i = 0; i < 2; ++i) {
    const RawAnswer refused = place("key-1", "a", R"(,"wait_ms":0,"refused":true)");
    EXPECT_EQ(refused.status, 412);
    EXPECT_EQ(refused.header("Idempotency-Replayed"), "");
  }
  EXPECT_EQ(notes_->handled, 2);
  EXPECT_EQ(notes(), 0);
  EXPECT_EQ(place("key-1", "a").status, 202) << "nothing was committed, so the key is still free";
}

TEST_F(IdempotentCallTest, waiting_changes_only_the_answer_to_the_request_that_waits) {
  const RawAnswer waited = place("key-1", "a", {}, "/notes", "ann", "Prefer: wait=5\r\n");
  EXPECT_EQ(waited.status, 201);
  EXPECT_THAT(waited.body, HasSubstr("finished"));
  EXPECT_EQ(waited.header("Preference-Applied"), "wait=5");
  const RawAnswer again = place("key-1", "a");
  EXPECT_EQ(again.status, 202);
  EXPECT_THAT(again.body, HasSubstr(R"("what":"a")"));
}

TEST_F(IdempotentCallTest, a_restart_remembers) {
  for (int i = 0; i < 5; ++i) place("key-" + std::to_string(i), "a");
  others_ = std::make_unique<RememberedAnswers>(*database_);
  RememberedAnswers& restarted = *others_;
  ASSERT_TRUE(restarted.load());
  EXPECT_EQ(restarted.size(), 5U);
  served_.routes().remember_answers_in(restarted);
  EXPECT_EQ(place("key-3", "a").header("Idempotency-Replayed"), "true");
  EXPECT_EQ(place("key-3", "b").status, 422);
  EXPECT_EQ(notes(), 5);
  served_.routes().remember_answers_in(*answers_);
}

TEST_F(IdempotentCallTest, after_24_hours_a_key_is_new_and_its_row_goes_with_later_writes) {
  EXPECT_EQ(place("key-1", "a").status, 202);
  clock_.shift = 23h;
  EXPECT_EQ(place("key-1", "a").header("Idempotency-Replayed"), "true");
  clock_.shift = 25h;
  EXPECT_EQ(place("key-1", "b").header("Idempotency-Replayed"), "");
  EXPECT_EQ(notes(), 2);
  EXPECT_EQ(stored(), 2U);
  for (int i = 0; i < 64; ++i) place("later-" + std::to_string(i), "a");
  EXPECT_EQ(stored(), 65U) << "the one of yesterday is gone";
  EXPECT_EQ(place("key-1", "b").header("Idempotency-Replayed"), "true");
}

TEST_F(IdempotentCallTest, where_no_more_keys_fit_new_ones_are_refused_and_none_is_forgotten) {
  others_ = std::make_unique<RememberedAnswers>(*database_, 3);
  served_.routes().remember_answers_in(*others_);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(place("key-" + std::to_string(i), "a").status, 202);
  const RawAnswer refused = place("key-3", "a");
  EXPECT_EQ(refused.status, 503);
  EXPECT_THAT(refused.body, HasSubstr("overloaded"));
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(place("key-" + std::to_string(i), "a").header("Idempotency-Replayed"), "true");
  EXPECT_EQ(notes(), 3);
  clock_.shift = 25h;
  EXPECT_TRUE(comes_true([&] { return place("key-0", "a").status == 202; }));
  EXPECT_EQ(notes(), 4);
  served_.routes().remember_answers_in(*answers_);
}

TEST_F(IdempotentCallTest, a_key_whose_commit_is_unknown_stays_taken_until_it_is_known) {
  StoredAnswer replay;
  const auto claim = [&] {
    return served_.run(answers_->claim("user ann POST /x", "key-1", 7, deadline_in(1s), &replay));
  };
  auto first = claim();
  ASSERT_TRUE(first);
  auto held = *std::move(first);  // as by what would follow the commit
  held->failed(errors::commit_unknown);
  const auto second = claim();
  ASSERT_FALSE(second);
  EXPECT_TRUE(second.error().is(errors::commit_unknown));
  held.reset();  // the commit never was
  EXPECT_TRUE(claim());
}

TEST_F(IdempotentCallTest, a_claim_that_ends_without_a_commit_frees_its_key) {
  StoredAnswer replay;
  const auto claim = [&](std::chrono::milliseconds within) {
    return served_.run(
        answers_->claim("user ann POST /x", "key-1", 7, deadline_in(within), &replay));
  };
  {
    const auto held = claim(1s);
    ASSERT_TRUE(held);
    EXPECT_TRUE(claim(10ms).error().is(errors::deadline_exceeded));
  }
  EXPECT_TRUE(claim(1s));
}

TEST(IdempotentRoute, needs_a_caller) {
  TemporaryDirectory directory;
  ServedRoutes served;
  SqliteOptions options;
  options.directory = directory.path() / "data";
  options.executor = served.executor();
  options.service = "test";
  const auto database = SqliteDatabase::open(options).value();
  RememberedAnswers answers{*database};
  Notes notes{*database};
  Routes routes;
  routes.post<"/notes">(&Notes::place, notes).open();
  routes.remember_answers_in(answers);
  const auto outcome = routes.check();
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::route_without_access));
  database->stop();
}

}  // namespace
}  // namespace freehold::http
