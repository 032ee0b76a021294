// SPDX-License-Identifier: Apache-2.0
//
// Idempotent calls to several instances of a service that share a database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <barrier>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "freehold/base/errors.h"
#include "freehold/database/postgres/postgres_database.h"
#include "freehold/database/postgres/scratch_cluster.h"
#include "freehold/http/idempotent_call.h"
#include "freehold/http/testing/served_routes.h"
#include "freehold/http/testing/shifted_clock.h"

namespace freehold::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct Place {
  std::string what;
};
BOOST_DESCRIBE_STRUCT(Place, (), (what))

struct Placed {
  std::int64_t number = 0;
  std::string what;
};
BOOST_DESCRIBE_STRUCT(Placed, (), (number, what))

constexpr sql::Query<std::int64_t(std::string_view)> insert_note{
    "insert into note (text) values ($1) returning id"};

// One instance: a lane, a server, a handler.
class Instance {
 public:
  explicit Instance(const std::string& url) {
    PostgresOptions options;
    options.url = url;
    options.executor = served_.executor();
    options.service = "notes";
    auto opened = PostgresDatabase::open(std::move(options));
    FREEHOLD_ASSERT(opened, opened.error().text().c_str());
    database_ = *std::move(opened);
    answers_ = std::make_unique<RememberedAnswers>(*database_);
    FREEHOLD_ASSERT(answers_->load(), "no answers");
    served_.routes().post<"/notes">(&Instance::place, *this).signed_in();
    served_.routes().remember_answers_in(*answers_);
    served_.start();
  }
  ~Instance() {
    served_.stop(5s);
    database_->stop();
  }

  RawAnswer ask(std::string_view key, std::string_view what, std::string_view user = "ann") {
    RawClient client{served_.port()};
    std::string lines = "Authorization: Bearer ";
    lines.append(user).append(":\r\nIdempotency-Key: ").append(key).append("\r\n");
    return client.ask(
        request("POST", "/notes", lines, R"({"what":")" + std::string{what} + R"("})"));
  }
  Result<> forget_old() { return served_.run(answers_->forget_old()); }
  const LaneStatistics& lane() const { return database_->lane_statistics(); }

  std::atomic<bool> refuses = false;         // before it comes to a transaction
  std::atomic<bool> refuses_inside = false;  // in it, after a write
  std::atomic<int> handled = 0;

 private:
  Task<Result<Committed<Placed>>> place(Place in, IdempotentCall call) {
    ++handled;
    if (refuses) co_return errors::precondition_failed;
    co_return co_await call.write(
        *database_, [this, in](SqlTransaction& transaction) -> Result<Reply<Placed>> {
          const std::int64_t number = transaction.first(insert_note, in.what).value();
          if (refuses_inside) return errors::precondition_failed;
          return Reply<Placed>{.status = 202, .body = {number, in.what}, .location = "/notes/1"};
        });
  }

  ServedRoutes served_;
  std::unique_ptr<PostgresDatabase> database_;
  std::unique_ptr<RememberedAnswers> answers_;
};

class SharedAnswers : public testing::Test {
 public:
  SharedAnswers() : name_(server().create_database()) {
    one_ = std::make_unique<Instance>(server().url(name_));
    two_ = std::make_unique<Instance>(server().url(name_));
    sql("create table note (id bigint generated always as identity primary key, "
        "text text not null)");
  }
  ~SharedAnswers() override {
    one_.reset();
    two_.reset();
    server().drop_database(name_);
  }

 protected:
  static ScratchCluster& server() { return ScratchCluster::shared(); }
  std::string sql(const std::string& script) const { return server().run(name_, script); }
  std::string notes() const { return sql("select count(*) from note"); }
  std::string kept() const { return sql("select count(*) from freehold_answer"); }
  static bool replayed(const RawAnswer& answer) {
    return answer.header("Idempotency-Replayed") == "true";
  }
  // Makes all answers that much older: their time is the server's, which no test can set.
  void let_pass(std::chrono::microseconds time) const {
    const std::string then = "at - " + std::to_string(time.count());
    sql("update freehold_answer set at = " + then + ", slot = (" + then + ") / 43200000000 % 5");
  }

  ShiftedClock clock_;
  const std::string name_;
  std::unique_ptr<Instance> one_;
  std::unique_ptr<Instance> two_;
};

// Each key is asked for by two clients at each instance, in opposite orders.
TEST_F(SharedAnswers, a_key_that_comes_to_two_instances_at_one_time_has_one_effect) {
  constexpr std::size_t rounds = 60, keys = 4, clients = 4;
  std::array<std::array<RawAnswer, keys>, clients> answers;
  const auto check = [&]() noexcept {
    for (std::size_t key = 0; key < keys; ++key) {
      int first = 0;
      for (const auto& of_client : answers) {
        EXPECT_EQ(of_client[key].status, 202) << of_client[key].body;
        EXPECT_EQ(of_client[key].body, answers[0][key].body);
        EXPECT_EQ(of_client[key].header("Location"), "/notes/1");
        if (of_client[key].header("Idempotency-Replayed").empty()) ++first;
      }
      EXPECT_EQ(first, 1);
    }
  };
  std::barrier begun{clients};
  std::barrier ended{clients, check};
  std::vector<std::jthread> asking;
  for (std::size_t client = 0; client < clients; ++client)
    asking.emplace_back([&, client] {
      for (std::size_t round = 0; round < rounds; ++round) {
        begun.arrive_and_wait();
        for (std::size_t i = 0; i < keys; ++i) {
          const std::size_t key = client < 2 ? i : keys - 1 - i;
          const std::string name = std::to_string(round * keys + key);
          answers[client][key] = (client % 2 == 0 ? one_ : two_)->ask("key-" + name, "note");
        }
        ended.arrive_and_wait();
      }
    });
  asking.clear();
  EXPECT_EQ(notes(), std::to_string(rounds * keys));
  EXPECT_EQ(one_->lane().reruns + two_->lane().reruns, 0U) << "a conflict costs one body alone";
}

TEST_F(SharedAnswers, a_repeat_at_another_instance_gets_the_first_answer) {
  const RawAnswer first = one_->ask("key", "a");
  ASSERT_EQ(first.status, 202) << first.body;
  for (Instance* instance : {two_.get(), one_.get()}) {
    const RawAnswer again = instance->ask("key", "a");
    EXPECT_EQ(again.status, 202);
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.header("Content-Type"), "application/json");
    EXPECT_EQ(again.header("Idempotency-Replayed"), "true");
    const RawAnswer other = instance->ask("key", "b");
    EXPECT_EQ(other.status, 422);
    EXPECT_THAT(other.body, HasSubstr("freehold/idempotency_key_reused"));
  }
  EXPECT_EQ(notes(), "1");
  EXPECT_EQ(two_->ask("key", "a", "bob").header("Idempotency-Replayed"), "");
  EXPECT_EQ(notes(), "2");
}

// What was true when the order was placed need not be true when it is asked for again.
TEST_F(SharedAnswers, a_refusal_is_said_only_where_nobody_has_answered) {
  const RawAnswer first = one_->ask("key", "a");
  two_->refuses = true;
  EXPECT_EQ(two_->ask("key", "a").body, first.body);
  EXPECT_EQ(two_->ask("key", "b").status, 422);
  EXPECT_EQ(two_->ask("new-key", "a").status, 412);
  EXPECT_EQ(two_->handled, 3);
  two_->refuses = false;
  two_->refuses_inside = true;
  EXPECT_EQ(two_->ask("new-key", "a").status, 412);
  EXPECT_EQ(one_->ask("new-key", "b").status, 202) << "nothing was stored of a refusal";
  EXPECT_EQ(notes(), "2");
}

TEST_F(SharedAnswers,
       a_key_is_kept_for_24_hours_and_its_part_emptied_by_a_role_that_may_not_truncate) {
  sql("create role notes_application login; grant usage on schema public to notes_application;"
      "grant select, insert, update, delete on all tables in schema public to notes_application");
  two_ = std::make_unique<Instance>(server().url(name_, "notes_application"));
  ASSERT_EQ(one_->ask("key", "a").status, 202);
  ASSERT_EQ(one_->ask("asked-once", "a").status, 202);
  for (int hour = 1; hour <= 23; ++hour) {
    let_pass(1h);
    ASSERT_TRUE(two_->forget_old());
    ASSERT_TRUE(replayed(two_->ask("key", "a"))) << hour;
  }
  EXPECT_EQ(kept(), "2");
  let_pass(2h);
  EXPECT_FALSE(replayed(two_->ask("key", "a")));
  EXPECT_TRUE(replayed(one_->ask("key", "a")));
  for (int hour = 1; hour <= 23; ++hour) {
    let_pass(1h);
    ASSERT_TRUE(two_->forget_old());
    ASSERT_TRUE(replayed(two_->ask("key", "a"))) << hour;
  }
  EXPECT_EQ(kept(), "1") << "what nobody asked for again is gone with its part";

  for (int half_day = 0; half_day < 6; ++half_day) {  // nobody empties anything
    let_pass(60h);
    EXPECT_FALSE(replayed(two_->ask("key", "a"))) << half_day;
  }
  sql("drop owned by notes_application; drop role notes_application");
}

TEST_F(SharedAnswers, a_key_is_kept_where_the_clock_of_an_instance_is_days_off) {
  ASSERT_EQ(one_->ask("key", "a").status, 202);
  for (int half_days = -5; half_days <= 5; ++half_days) {
    const std::string key = "key-of-an-odd-clock-" + std::to_string(half_days);
    clock_.shift = 12h * half_days;
    ASSERT_TRUE(two_->forget_old());
    EXPECT_TRUE(replayed(two_->ask("key", "a"))) << half_days;
    EXPECT_FALSE(replayed(two_->ask(key, "a"))) << half_days;
    clock_.shift = 0h;
    ASSERT_TRUE(one_->forget_old());
    EXPECT_TRUE(replayed(one_->ask(key, "a"))) << half_days;
  }
  EXPECT_EQ(kept(), "12");
}

}  // namespace
}  // namespace freehold::http
