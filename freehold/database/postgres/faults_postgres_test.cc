// SPDX-License-Identifier: Apache-2.0
//
// A server that goes away, that must not be used, or that something stands in front of; and a
// client that stops.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <libpq-fe.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <semaphore>
#include <stdexcept>

#include "freehold/database/migrations.h"
#include "freehold/database/postgres/cutting_proxy.h"
#include "freehold/database/postgres/postgres_connection.h"
#include "freehold/database/postgres/temporary_postgres.h"
#include "freehold/database/postgres/transaction_pooler.h"

namespace freehold {
namespace {

using testing::HasSubstr;

constexpr sql::Query<std::int64_t()> notes{"select count(*) from note"};
constexpr sql::Query<std::string(std::string_view)> setting{"select current_setting($1)"};
constexpr sql::Change<void(std::int64_t, std::string_view)> set_note{
    "update note set text = $2 where id = $1"};

class PostgresFaults : public PostgresTest {
 protected:
  static Result<> write_note(Database& database, std::int64_t id) {
    return write(database, [id](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_note, id, "text");
      return {};
    });
  }
  static std::string role() { return "test_app"; }
  // Tries again until then, as a client that was answered 503 does.
  static bool write_note_at_last(Database& database, std::int64_t id) {
    const Deadline until = deadline_in(patience);
    while (SteadyClock::now() < until)
      if (write_note(database, id)) return true;
    return false;
  }
  static std::int64_t count_notes_at_last(Database& database) {
    const Deadline until = deadline_in(patience);
    while (SteadyClock::now() < until)
      if (const auto count = count_notes(database)) return *count;
    return -1;
  }
  static Result<std::int64_t> count_notes(Database& database) {
    std::int64_t count = 0;
    const Result<> read = database.read_now(
        [&](SqlTransaction& transaction) { count = transaction.first(notes).value(); });
    if (!read) return read.error();
    return count;
  }
};

TEST_F(PostgresFaults, a_server_that_starts_again_at_once_fails_nobody) {
  create_notes();
  PostgresOptions patient = options(url());
  patient.away_max = patience;
  const auto database = open(std::move(patient));
  ASSERT_TRUE(write_note(*database, 0));
  for (int id = 1; id <= 3; ++id) {
    cluster().kill();
    auto future = submit(*database, [id](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_note, id, "text");
      return {};
    });
    cluster().start();
    const Result<> outcome = outcome_of(future);
    EXPECT_TRUE(outcome) << outcome.error().text();
    ASSERT_EQ(count_notes_at_last(*database), id + 1);
  }
}

TEST_F(PostgresFaults, a_server_process_that_is_ended_fails_nobody) {
  create_notes();
  const auto database = open();
  for (int id = 1; id <= 20; ++id) {
    sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()");
    const Result<> outcome = write_note(*database, id);
    ASSERT_TRUE(outcome) << outcome.error().text();
    const auto count = count_notes(*database);
    ASSERT_TRUE(count) << count.error().text();
    ASSERT_EQ(*count, id);
  }
}

TEST_F(PostgresFaults, while_the_server_is_away_everybody_gets_an_answer) {
  create_notes();
  PostgresOptions bounded = options(url());
  bounded.requests_max = 8;
  const auto database = open(std::move(bounded));
  ASSERT_TRUE(write_note(*database, 1));
  cluster().kill();
  std::vector<std::future<Result<>>> futures;
  futures.reserve(50);
  for (int i = 0; i < 50; ++i)
    futures.push_back(submit(*database, [](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_note, 2, "text");
      return {};
    }));
  int overloaded = 0;
  for (auto& future : futures) {
    const Result<> outcome = outcome_of(future);
    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().kind(), Kind::unavailable) << outcome.error().text();
    if (outcome.error().is(errors::overloaded)) ++overloaded;
  }
  EXPECT_GE(overloaded, 1);
  const auto read = count_notes(*database);
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().is(errors::database_unavailable)) << read.error().text();
  const auto start = SteadyClock::now();
  EXPECT_FALSE(write_note(*database, 2));
  EXPECT_LT(SteadyClock::now() - start, std::chrono::seconds{3}) << "nobody waits out an outage";

  cluster().start();
  EXPECT_TRUE(write_note_at_last(*database, 2));
  EXPECT_EQ(sql("select count(*) from note"), "2");
}

TEST_F(PostgresFaults, a_commit_stays_unknown_only_until_the_server_is_back) {
  create_notes();
  CuttingProxy proxy{cluster().socket()};
  std::string through_proxy = url();
  through_proxy.resize(through_proxy.find("?host="));
  const auto database = open(options(through_proxy + "?host=" + proxy.directory().string()));
  std::promise<void> followed;
  proxy.refuse(true);
  proxy.arm(CuttingProxy::Cut::answer);
  const Result<> outcome = write(*database, [&](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_note, 1, "text");
    transaction.on_commit([&] { followed.set_value(); });
    return {};
  });
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::commit_unknown)) << outcome.error().text();
  const Result<> next = write_note(*database, 2);
  ASSERT_FALSE(next) << "a batch was run before it was known what became of the one before";
  EXPECT_TRUE(next.error().is(errors::database_unavailable)) << next.error().text();
  proxy.refuse(false);
  EXPECT_TRUE(write_note_at_last(*database, 3));
  EXPECT_EQ(followed.get_future().wait_for(patience), std::future_status::ready);
  EXPECT_EQ(database->statistics().commits_found, 1U);
  EXPECT_EQ(sql("select string_agg(id::text, ' ' order by id) from note"), "1 3");
}

// The server ends its transaction after 2 s; then its locks are free, and it runs its body again.
TEST_F(PostgresFaults, a_client_that_stops_inside_a_transaction_holds_its_locks_for_two_seconds) {
  create_notes();
  const auto stopping = open();
  const auto other = open();
  ASSERT_TRUE(write_note(*stopping, 1));
  std::binary_semaphore locked{0}, goes_on{0};
  int runs = 0;
  auto stopped = submit(*stopping, [&](SqlTransaction& transaction) -> Result<> {
    transaction.count(set_note, 1, "stopped");
    if (++runs > 1) return {};
    locked.release();
    EXPECT_TRUE(goes_on.try_acquire_for(patience));
    return {};
  });
  ASSERT_TRUE(locked.try_acquire_for(patience));
  const auto start = SteadyClock::now();
  const Result<> outcome = write(*other, [](SqlTransaction& transaction) -> Result<> {
    transaction.run(set_note, 1, "other");
    return {};
  });
  EXPECT_TRUE(outcome) << outcome.error().text();
  EXPECT_LT(SteadyClock::now() - start, std::chrono::seconds{3});
  goes_on.release();
  EXPECT_TRUE(outcome_of(stopped));
  EXPECT_EQ(runs, 2);
  EXPECT_EQ(sql("select text from note"), "stopped");
}

// A batch with 320 KiB of events whose client is stopped while it sends it.
class StoppedInItsCommit : public PostgresFaults {
 protected:
  StoppedInItsCommit() : proxy_(cluster().socket()) {
    create_notes();
    std::string through_proxy = url();
    through_proxy.resize(through_proxy.find("?host="));
    stopping_ = open(options(through_proxy + "?host=" + proxy_.directory().string()));
    other_ = open();
  }
  static Result<> append(SqlTransaction& transaction, std::int64_t id, std::size_t bytes) {
    transaction.run(insert_note, id, "text");
    const std::string text(bytes, 'x');
    for (int i = 0; i < 5; ++i)
      transaction.append({.type = "note.written.v1",
                          .subject = "a",
                          .partition_key = "a",
                          .recipient = {},
                          .json = "\"data\":\"" + text + '"'});
    return {};
  }
  // How long the other one needs for a batch with an event, meanwhile.
  SteadyClock::duration other_while_stopped(CuttingProxy::Cut cut) {
    EXPECT_TRUE(
        write(*stopping_, [](SqlTransaction& transaction) { return append(transaction, 1, 100); }));
    proxy_.arm(cut);
    auto stopped = submit(
        *stopping_, [](SqlTransaction& transaction) { return append(transaction, 2, 64'000); });
    const Deadline until = deadline_in(patience);
    const std::string holds =
        cut == CuttingProxy::Cut::stop_before_commit ? holds_the_head : "true";
    while (proxy_.is_armed() || sql(in_the_middle + holds) != "1")
      FREEHOLD_ASSERT(SteadyClock::now() < until, "nobody was stopped");
    const auto start = SteadyClock::now();
    const Result<> outcome =
        write(*other_, [](SqlTransaction& transaction) { return append(transaction, 3, 100); });
    const auto took = SteadyClock::now() - start;
    EXPECT_TRUE(outcome) << outcome.error().text();
    proxy_.go_on();
    const Result<> late = outcome_of(stopped);
    EXPECT_TRUE(late) << late.error().text();
    EXPECT_EQ(sql("select string_agg(id::text, ' ' order by id) from note"), "1 2 3");
    EXPECT_EQ(sql("select string_agg(distinct position::text, ' ') from freehold_head"), "15");
    EXPECT_EQ(sql("select count(*) from freehold_event"), "15");
    return took;
  }

 private:
  static inline const std::string in_the_middle =
      "select count(*) from pg_stat_activity a where datname = current_database() "
      "and application_name = 'test lane' and state = 'active' and wait_event = 'ClientRead' and ";
  static constexpr auto holds_the_head =
      "exists (select from pg_locks l where l.pid = a.pid and mode = 'RowExclusiveLock' "
      "and relation = 'freehold_head'::regclass)";

  CuttingProxy proxy_;
  std::unique_ptr<PostgresDatabase> stopping_;
  std::unique_ptr<PostgresDatabase> other_;
};

// Whom it blocks waits until the server ends its session, two seconds at the least.
TEST_F(StoppedInItsCommit, a_client_blocks_nobody_before_all_of_its_events_have_come) {
  EXPECT_LT(other_while_stopped(CuttingProxy::Cut::stop_inside), std::chrono::seconds{2});
}

// It holds the head. Who has waited for that in vain, 3 s, ends its session.
TEST_F(StoppedInItsCommit, a_client_blocks_others_for_the_time_of_a_lock_at_the_most) {
  const auto took = other_while_stopped(CuttingProxy::Cut::stop_before_commit);
  EXPECT_GT(took, std::chrono::seconds{2}) << "it held nothing: this shows nothing";
  EXPECT_LT(took, std::chrono::seconds{4});
}

// As a person's import in psql does, under the service's role.
TEST_F(PostgresFaults, a_session_of_another_program_may_wait_for_its_client_for_long) {
  create_notes();
  const auto waits_long = [&](const char* name) {
    return sql(
        "select count(*) from pg_stat_activity where wait_event = 'ClientRead' and "
        "state_change < clock_timestamp() - interval '2.1 s' and application_name = '" +
        std::string{name} + "'");
  };
  const auto import_as = [&](const char* name) {
    const std::unique_ptr<PGconn, void (*)(PGconn*)> client{PQconnectdb(url().c_str()), &PQfinish};
    PQclear(PQexec(client.get(), ("set application_name = '" + std::string{name} + "'").c_str()));
    PQclear(PQexec(client.get(), "begin"));
    PQclear(PQexec(client.get(), "copy note from stdin"));
    const Deadline until = deadline_in(patience);
    while (waits_long(name) != "1") FREEHOLD_ASSERT(SteadyClock::now() < until, "nobody waits");
    PostgresConnection lane{{.url = url(), .name = "test lane"}, deadline_in(patience)};
    return lane.end_stopped_sessions();
  };
  EXPECT_EQ(import_as("psql"), 0);
  EXPECT_EQ(import_as("test lane"), 1);
}

TEST_F(PostgresFaults, bodies_that_lock_in_a_circle_both_come_to_their_end) {
  create_notes();
  const auto one = open();
  const auto two = open();
  for (int id = 1; id <= 2; ++id) ASSERT_TRUE(write_note(*one, id));
  std::counting_semaphore<> first{0}, second{0};
  const auto locks = [](int from, int to, std::counting_semaphore<>& mine,
                        std::counting_semaphore<>& others) {
    return [=, &mine, &others, runs = std::make_shared<int>(0)](SqlTransaction& transaction) {
      transaction.count(set_note, from, "first");
      if (++*runs == 1) {
        mine.release();
        (void)others.try_acquire_for(std::chrono::seconds{1});  // later, the server ends this
      }
      transaction.count(set_note, to, "second");
      return Result<>{};
    };
  };
  auto ascending = submit(*one, locks(1, 2, first, second));
  auto descending = submit(*two, locks(2, 1, second, first));
  const Result<> up = outcome_of(ascending), down = outcome_of(descending);
  EXPECT_TRUE(up) << up.error().text();
  EXPECT_TRUE(down) << down.error().text();
}

TEST_F(PostgresFaults, a_session_of_a_lane_has_its_limits) {
  const auto database = open();
  ASSERT_TRUE(write(*database, [](SqlTransaction& transaction) -> Result<> {
    EXPECT_EQ(transaction.first(setting, "idle_in_transaction_session_timeout"), "2s");
    EXPECT_EQ(transaction.first(setting, "lock_timeout"), "3s");
    EXPECT_EQ(transaction.first(setting, "client_connection_check_interval"), "1s");
    EXPECT_EQ(transaction.first(setting, "transaction_isolation"), "read committed");
    return {};
  }));
  ASSERT_TRUE(database->read_now([](SqlTransaction& transaction) {
    EXPECT_EQ(transaction.first(setting, "transaction_isolation"), "repeatable read");
    EXPECT_EQ(transaction.first(setting, "transaction_read_only"), "on");
  }));
}

TEST_F(PostgresFaults, a_read_does_not_hold_up_the_thread_that_awaits_it) {
  boost::asio::io_context context;  // outlives whoever posts to it
  const auto database = open();
  const std::thread::id here = std::this_thread::get_id();
  const auto reading = [](Database* read, std::thread::id caller) -> Task<> {
    const auto where = co_await read->read(
        [](SqlTransaction& transaction) { return transaction.books().log().partitions; });
    EXPECT_EQ(where.value(), 1U);
    const auto thread =
        co_await read->read([](SqlTransaction&) { return std::this_thread::get_id(); });
    EXPECT_NE(thread.value(), caller);
    EXPECT_EQ(std::this_thread::get_id(), caller);
    const auto throwing = [](SqlTransaction&) -> int { throw std::runtime_error("a fault"); };
    bool thrown = false;
    try {
      (void)co_await read->read(throwing);
    } catch (const std::runtime_error&) {
      thrown = true;
    }
    EXPECT_TRUE(thrown) << "what a body throws passes through";
  };
  auto done =
      boost::asio::co_spawn(context, reading(database.get(), here), boost::asio::use_future);
  context.run();
  done.get();
}

TEST_F(PostgresFaults, a_read_ends_after_a_second) {
  const auto database = open();
  static constexpr sql::Query<std::string()> endless{"select pg_sleep(60)::text"};
  const auto start = SteadyClock::now();
  const Result<> read =
      database->read_now([](SqlTransaction& transaction) { transaction.first(endless); });
  EXPECT_LT(SteadyClock::now() - start, std::chrono::seconds{3});
  ASSERT_FALSE(read);
  EXPECT_TRUE(read.error().is(errors::read_too_long)) << read.error().text();
  EXPECT_TRUE(database->read_now([](SqlTransaction& transaction) { transaction.books().log(); }));
}

// A setting of the server, until the end of the test.
class ServerSetting {
 public:
  ServerSetting(ScratchCluster& cluster, std::string name, const std::string& value)
      : cluster_(cluster), name_(std::move(name)), before_(shown()) {
    cluster_.run("postgres", "alter system set " + name_ + " = " + value);
    cluster_.run("postgres", "select pg_reload_conf()");
    wait_for(value);
  }
  ServerSetting(const ServerSetting&) = delete;
  ServerSetting& operator=(const ServerSetting&) = delete;
  ~ServerSetting() {
    cluster_.run("postgres", "alter system reset " + name_);
    cluster_.run("postgres", "select pg_reload_conf()");
    wait_for(before_);
  }

 private:
  std::string shown() { return cluster_.run("postgres", "show " + name_); }
  // The postmaster takes it over when it comes to it.
  void wait_for(const std::string& value) {
    const Deadline until = deadline_in(std::chrono::seconds{30});
    while (shown() != value) ASSERT_LT(SteadyClock::now(), until);
  }

  ScratchCluster& cluster_;
  const std::string name_;
  const std::string before_;
};

TEST_F(PostgresFaults, a_server_that_may_lose_what_it_acknowledged_is_refused) {
  {
    const ServerSetting off{cluster(), "fsync", "off"};
    EXPECT_THAT(refusal(options(url())), HasSubstr("fsync = off"));
  }
  {
    const ServerSetting off{cluster(), "full_page_writes", "off"};
    EXPECT_THAT(refusal(options(url())), HasSubstr("full_page_writes = off"));
  }
  {
    const ServerSetting off{cluster(), "synchronous_commit", "off"};
    EXPECT_THAT(refusal(options(url())), HasSubstr("synchronous_commit off"));
  }
  EXPECT_EQ(refusal(options(url())), "not refused");
}

// A name that leads to it after a failover that is not one.
TEST_F(PostgresFaults, a_standby_is_neither_written_to_nor_read_from) {
  create_notes();
  const ScratchCluster standby{ScratchCluster::StandbyOf{cluster()}};
  CuttingProxy proxy{cluster().socket()};
  std::string through_proxy = url();
  through_proxy.resize(through_proxy.find("?host="));
  const PostgresOptions options_of_both =
      options(through_proxy + "?host=" + proxy.directory().string());
  const auto database = open(options_of_both);
  ASSERT_TRUE(write_note(*database, 1));
  ASSERT_EQ(count_notes(*database).value(), 1);
  proxy.lead_to(standby.socket());
  sql("select pg_terminate_backend(pid, 5000) from pg_stat_activity "
      "where datname = current_database() and application_name = 'test reads'");
  const auto read = count_notes(*database);
  ASSERT_FALSE(read) << "it may be behind what was committed";
  EXPECT_THAT(read.error().detail(), HasSubstr("the server is a standby"));
  EXPECT_TRUE(write_note(*database, 2)) << "the lane has its session with the primary";
  EXPECT_THAT(refusal(options_of_both), HasSubstr("the server is a standby"));
}

// With so many rows, to merge both from the start is what a planner left to itself chooses.
TEST_F(PostgresFaults, a_page_of_two_tables_reads_neither_from_its_start) {
  sql("create table product (id bigint primary key); create table stock (id bigint primary key); "
      "insert into product select n from generate_series(1, 20000) as n; "
      "insert into stock select n from generate_series(1, 20000) as n; analyze");
  constexpr sql::Query<std::string()> plan_of_page{
      "explain (costs off) select p.id from product p join stock s on s.id = p.id "
      "where p.id > (select max(id) - 10 from product) order by p.id limit 3"};
  const auto database = open();
  std::string plan;
  ASSERT_TRUE(database->read_now([&](SqlTransaction& transaction) {
    for (const std::string& line : transaction.all(plan_of_page)) plan += line + '\n';
  }));
  EXPECT_THAT(plan, HasSubstr("Nested Loop"));
}

TEST_F(PostgresFaults, a_lane_commits_as_it_was_checked_whatever_the_server_is_told_later) {
  const auto database = open();
  const ServerSetting off{cluster(), "synchronous_commit", "off"};
  std::string in_lane;
  ASSERT_TRUE(write(*database, [&](SqlTransaction& transaction) -> Result<> {
    in_lane = transaction.first(setting, "synchronous_commit").value();
    return {};
  }));
  EXPECT_EQ(in_lane, "on");
}

TEST_F(PostgresFaults, a_transaction_pooler_is_refused) {
  TransactionPooler pooler{cluster().socket()};
  std::string through_pooler = url();
  through_pooler.resize(through_pooler.find("?host="));
  EXPECT_THAT(refusal(options(through_pooler + "?host=" + pooler.directory().string())),
              HasSubstr("a transaction pooler stands before the server"));
}

TEST_F(PostgresFaults, a_server_that_is_not_there_is_named) {
  EXPECT_THAT(refusal(options("postgresql://postgres@/test?host=/nowhere")),
              HasSubstr("the database of test: "));
}

constexpr Migration first_step{1, "pages", MigrationKind::expand,
                               "create table page (id integer primary key);"};
constexpr Migration second_step{2, "titles", MigrationKind::expand,
                                "alter table page add column title text;"};

TEST_F(PostgresFaults, a_role_with_rights_on_data_alone_works_on_what_the_migrator_made) {
  sql("create role " + role() + " login");
  EXPECT_THAT(refusal(options(url(role()))), HasSubstr("this role could not make them"));

  {
    const auto migrator = open();
    ASSERT_TRUE(migrate(*migrator, std::vector{first_step}));
  }
  sql("grant select, insert, update, delete on all tables in schema public to " + role());
  const auto database = open(options(url(role())));
  EXPECT_TRUE(migrate(*database, std::vector{first_step}));
  const Result<> not_allowed = migrate(*database, std::vector{first_step, second_step});
  ASSERT_FALSE(not_allowed);
  EXPECT_THAT(std::string{not_allowed.error().detail()}, HasSubstr("migration 2 (titles): "));
  EXPECT_TRUE(write(*database, [](SqlTransaction& transaction) -> Result<> {
    transaction.append({.type = "page.written.v1",
                        .subject = "a",
                        .partition_key = "a",
                        .recipient = {},
                        .json = "\"data\":1"});
    return {};
  }));
  sql("drop owned by " + role() + "; drop role " + role());
}

TEST_F(PostgresFaults, instances_that_start_at_one_time_run_each_step_once) {
  std::vector<std::thread> starts;
  starts.reserve(4);
  std::atomic<int> migrated = 0;
  for (int i = 0; i < 4; ++i)
    starts.emplace_back([&] {
      const auto database = open();
      const Result<> done = migrate(*database, std::vector{first_step, second_step});
      EXPECT_TRUE(done) << done.error().text();
      if (done) ++migrated;
    });
  for (std::thread& start : starts) start.join();
  EXPECT_EQ(migrated, 4);
  EXPECT_EQ(sql("select count(*) from freehold_migration"), "2");
}

}  // namespace
}  // namespace freehold
