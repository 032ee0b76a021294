// SPDX-License-Identifier: Apache-2.0
//
// Several instances of a service on one database.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <optional>
#include <vector>

#include "freehold/base/errors.h"
#include "freehold/database/postgres/scratch_cluster.h"
#include "freehold/events/event_log.h"
#include "freehold/replica/held_replica.h"
#include "freehold/testing/database_conformance.h"
#include "freehold/testing/postgres_instance.h"

namespace freehold {
namespace {

using std::chrono::milliseconds, std::chrono::seconds;

struct Price {
  std::string product;
  std::int64_t amount;
  std::int64_t version;
  static constexpr std::string_view type = "library.price.v1";
  static constexpr auto subject = &Price::product;
};
BOOST_DESCRIBE_STRUCT(Price, (), (product, amount, version))
constexpr Replica<Price> prices{"price_replica"};

class Instances : public testing::Test {
 public:
  Instances() : name_(ScratchCluster::shared().create_database()) {}
  ~Instances() override { ScratchCluster::shared().drop_database(name_); }

 protected:
  const std::string& name() const { return name_; }
  std::string url() const { return ScratchCluster::shared().url(name_); }

 private:
  const std::string name_;
};

template <class T>
Task<> keep(Task<Result<T>> answer, std::optional<Result<T>>* into) {
  into->emplace(co_await std::move(answer));
}

// Without the hint the reader would look again after half a minute.
TEST_F(Instances, who_waits_for_the_log_of_one_is_woken_by_the_commit_of_another) {
  PostgresInstance here{url(), 1}, elsewhere{url(), 1};
  EventLogOptions options;
  options.wait_max = seconds{30};
  options.timeout_max = seconds{30};
  EventLog log{*here, "order", here.executor(), options};
  EventId at;
  for (int commit = 1; commit <= 3; ++commit) {
    std::optional<Result<FeedAnswer>> read, again;
    auto answered = boost::asio::co_spawn(
        here.executor(), keep(log.read({.after = at, .timeout = seconds{30}}, "product"), &read),
        boost::asio::use_future);
    ASSERT_TRUE((*elsewhere).write_now([](SqlTransaction& transaction) -> Result<> {
      transaction.append(plain_event("a"));
      return {};
    }));
    ASSERT_EQ(answered.wait_for(seconds{15}), std::future_status::ready);
    ASSERT_TRUE(*read) << read->error().text();
    EXPECT_EQ((*read)->events, 1U);
    // Who comes after the hint finds nothing of it in the tail.
    answered = boost::asio::co_spawn(
        here.executor(), keep(log.read({.after = at, .timeout = seconds{30}}, "product"), &again),
        boost::asio::use_future);
    ASSERT_EQ(answered.wait_for(seconds{15}), std::future_status::ready);
    EXPECT_EQ((*again)->events, 1U);
    at = (*read)->through;
    EXPECT_EQ(at.position, static_cast<unsigned>(commit));
  }
}

// A read may take a second.
TEST_F(Instances, a_log_that_cannot_be_read_at_once_is_waited_for_at_the_start) {
  PostgresInstance here{url(), 1};
  const auto held = std::async(std::launch::async, [this] {
    return ScratchCluster::shared().run(name(),
                                        "begin; lock table freehold_head in access exclusive mode; "
                                        "select pg_sleep(2.5); commit");
  });
  const std::string locks =
      "select count(*) from pg_locks where mode = 'AccessExclusiveLock' "
      "and relation = 'freehold_head'::regclass";
  const Deadline give_up = deadline_in(seconds{10});
  while (ScratchCluster::shared().run(name(), locks) != "1" && SteadyClock::now() < give_up) {
  }
  EXPECT_LT(SteadyClock::now(), give_up);
  EXPECT_NO_THROW((EventLog{*here, "order", here.executor()}));
  held.wait();
}

TEST_F(Instances, a_cursor_moves_for_the_owner_of_its_lease_alone) {
  PostgresInstance one{url(), 1}, two{url(), 1};
  const auto in_books = [](PostgresInstance& instance, const auto& use) {
    const Result<> done = (*instance).write_now([&](SqlTransaction& transaction) -> Result<> {
      use(transaction.books());
      return {};
    });
    ASSERT_TRUE(done) << done.error().text();
  };
  constexpr EventId start{0, 0, 0}, next{0, 5, 11}, after{0, 9, 12};
  std::uint64_t first_epoch = 0, second_epoch = 0;
  in_books(one, [&](Books& books) {
    first_epoch = books.take_lease("replica", "one", milliseconds{1}).value();
    books.begin_cursor("replica", 0, {.at = start, .log_id = "log"});
    EXPECT_TRUE(books.move_cursor("replica", start, next, first_epoch));
  });
  while (second_epoch == 0)
    in_books(two, [&](Books& books) {
      second_epoch = books.take_lease("replica", "two", seconds{60}).value_or(0);
    });
  EXPECT_GT(second_epoch, first_epoch);
  in_books(one, [&](Books& books) {
    EXPECT_EQ(books.take_lease("replica", "one", seconds{60}), std::nullopt);
    EXPECT_FALSE(books.move_cursor("replica", next, after, first_epoch)) << "it was replaced";
  });
  in_books(two, [&](Books& books) {
    EXPECT_TRUE(books.move_cursor("replica", next, after, second_epoch));
  });
}

// The consumer of a replica works at one of them; the other does not hear of what it changes.
TEST_F(Instances, find_in_a_held_replica_what_another_has_put_there) {
  PostgresInstance here{url(), 1}, elsewhere{url(), 1};
  const HeldReplica held{prices, *here};
  const ReplicaProgram program = prices.program();
  const auto amount_after = [&](std::int64_t version) {
    EXPECT_TRUE((*elsewhere).write_now([&](SqlTransaction& transaction) -> Result<> {
      const std::string json = to_json(Price{"tea", version * 100, version});
      Delivery delivery{.source = "library", .type = Price::type, .subject = "tea"};
      delivery.data = json;
      program.apply(transaction, program.table.name, delivery);
      return {};
    }));
    std::optional<Result<std::vector<Price>>> found;
    boost::asio::co_spawn(here.executor(), keep(held.find_all({"tea"}), &found),
                          boost::asio::use_future)
        .get();
    return (**found).at(0).amount;
  };
  ASSERT_TRUE((*elsewhere).write_now([&](SqlTransaction& transaction) -> Result<> {
    transaction.run_script(
        internal::create_table(program.table, program.table.name, transaction.dialect()));
    return {};
  }));
  EXPECT_EQ(amount_after(1), 100);
  EXPECT_EQ(amount_after(2), 200);
}

// Else who stands by and who renews, each several leases in a batch, would wait in a circle.
TEST_F(Instances, who_stands_by_for_a_lease_does_not_wait_for_its_row) {
  PostgresInstance one{url(), 1}, two{url(), 1};
  const auto take = [](PostgresInstance& instance, const char* owner, std::future<void>* wait) {
    std::optional<std::uint64_t> epoch;
    const Result<> done = (*instance).write_now([&](SqlTransaction& transaction) -> Result<> {
      epoch = transaction.books().take_lease("replica", owner, seconds{60});
      if (wait) wait->wait();
      return {};
    });
    EXPECT_TRUE(done) << done.error().text();
    return epoch;
  };
  ASSERT_TRUE(take(one, "one", nullptr));
  std::promise<void> may_commit;
  auto committed = may_commit.get_future();
  auto renewed = std::async(std::launch::async, [&] { return take(one, "one", &committed); });
  const std::string renewals =
      "select count(*) from pg_stat_activity where datname = current_database() "
      "and state = 'idle in transaction' and query like 'insert into freehold_lease%'";
  const Deadline give_up = deadline_in(seconds{10});
  while (ScratchCluster::shared().run(name(), renewals) == "0" && SteadyClock::now() < give_up) {
  }
  EXPECT_LT(SteadyClock::now(), give_up);
  auto refused = std::async(std::launch::async, [&] { return take(two, "two", nullptr); });
  EXPECT_EQ(refused.wait_for(seconds{10}), std::future_status::ready);
  EXPECT_EQ(ScratchCluster::shared().run(name(), renewals), "1") << "it waited for the other's end";
  may_commit.set_value();
  EXPECT_EQ(refused.get(), std::nullopt);
  EXPECT_TRUE(renewed.get());
}

// One appends states of a few subjects, some of them deleted and made again, while both cut all
// that may be cut: below low only latest states are left, and each living subject has its own.
TEST_F(Instances, cut_the_log_while_another_appends_and_leave_the_latest_states) {
  constexpr int commits = 300;
  PostgresInstance writer{url(), 1}, other{url(), 1};
  std::atomic<bool> done = false;
  const auto cuts = [&](PostgresInstance& instance) {
    return std::async(std::launch::async, [&] {
      while (!done) {
        const Result<> cut = (*instance).write_now([](SqlTransaction& transaction) -> Result<> {
          transaction.books().cut(0, transaction.books().head(0).last.position, 7);
          return {};
        });
        EXPECT_TRUE(cut) << cut.error().text();
      }
    });
  };
  auto here = cuts(writer), elsewhere = cuts(other);
  for (std::int64_t version = 1; version <= commits; ++version) {
    const Result<> written = (*writer).write_now([&](SqlTransaction& transaction) -> Result<> {
      for (const char* subject : {"a", "b", "c"})
        transaction.append(state_event(subject, version, version % 3 == 0 && version < commits));
      return {};
    });
    ASSERT_TRUE(written) << written.error().text();
  }
  done = true;
  here.get();
  elsewhere.get();
  const auto one = [&](const std::string& query) {
    return ScratchCluster::shared().run(name(), query);
  };
  EXPECT_EQ(one("select count(*) from freehold_event e, freehold_head h "
                "where e.place <= h.low_position and not exists "
                "(select 1 from freehold_state s where s.place = e.place)"),
            "0");
  EXPECT_EQ(one("select count(*) from freehold_state s join freehold_event e on e.place = s.place "
                "where s.version = " +
                std::to_string(commits)),
            "3");
}

// The two are in one batch, so neither sees the other before it has run.
TEST_F(Instances, of_two_under_one_key_in_one_batch_one_has_its_effect) {
  PostgresInstance instance{url(), 1};
  const auto hold = [] {
    return std::make_shared<AnswerHold>("ann POST /notes", "key", std::chrono::hours{24});
  };
  std::promise<void> may_go_on;
  std::vector<std::future<Result<>>> outcomes;
  const auto submit = [&](std::shared_ptr<AnswerHold> held,
                          std::move_only_function<Result<>(SqlTransaction&)> body) {
    auto promise = std::make_shared<std::promise<Result<>>>();
    outcomes.push_back(promise->get_future());
    (*instance).submit(Urgency::request,
                       Job{.body = std::move(body),
                           .done = [promise](Result<> outcome) { promise->set_value(outcome); },
                           .hold = std::move(held)});
  };
  submit({}, [go_on = may_go_on.get_future().share()](SqlTransaction&) -> Result<> {
    go_on.wait();
    return {};
  });
  for (int i = 0; i < 2; ++i) {
    const auto held = hold();
    submit(held, [held](SqlTransaction& transaction) -> Result<> {
      if (held->answer) return errors::answered_before;
      transaction.append(plain_event("a"));
      transaction.books().remember_answer(
          {.scope = held->scope, .key = held->key, .status = 202, .body = "{}", .at = now()});
      return {};
    });
  }
  may_go_on.set_value();
  int done = 0;
  for (auto& outcome : outcomes) done += outcome.get() ? 1 : 0;
  EXPECT_EQ(done, 2) << "the first, and one of the two";
  ASSERT_TRUE((*instance).read_now([](SqlTransaction& transaction) {
    EXPECT_EQ(transaction.books().head(0).last.position, 1U);
  }));
}

}  // namespace
}  // namespace freehold
