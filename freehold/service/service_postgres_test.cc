// SPDX-License-Identifier: Apache-2.0
//
// The host with its database on a server, where it has two roles: one that makes the tables, and
// one that serves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "freehold/database/postgres/scratch_cluster.h"
#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/http/testing/served_routes.h"
#include "freehold/service/test_program.h"

namespace freehold {
namespace {

using http::comes_true, http::RawClient, http::request;
using namespace std::chrono_literals;
using testing::HasSubstr, testing::Le, testing::Lt;
using testing::MatchesRegex;

class ServiceOnServerTest : public testing::Test {
 protected:
  using Words = std::vector<std::string>;

  ServiceOnServerTest() : database_(server().create_database()) {
    static const bool roles_are_made = [] {
      server().run("postgres", "create role desk_migrator login");
      server().run("postgres", "create role desk_application login");
      return true;
    }();
    EXPECT_TRUE(roles_are_made);
    server().run(database_,
                 "grant create, usage on schema public to desk_migrator;"
                 "alter default privileges for role desk_migrator"
                 " grant select, insert, update, delete on tables to desk_application");
  }
  void TearDown() override {
    program_.reset();
    EXPECT_TRUE(comes_true([&] { return connections() == "0"; }));
    server().drop_database(database_);
  }

  static ScratchCluster& server() { return ScratchCluster::shared(); }
  std::filesystem::path data() const { return directory_.path() / "desk"; }

  Words serving() const {
    return {"--data=" + data().string(), "--port=" + std::to_string(port_),
            "--database-url=" + server().url(database_, "desk_application")};
  }
  Words serving(const Words& more) const {
    Words all = serving();
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  std::string migrator() const {
    return "--migrator-url=" + server().url(database_, "desk_migrator");
  }
  void start(const Words& words) {
    program_.emplace(words);
    port_ = program_->wait_until_it_serves();
    ASSERT_NE(port_, 0) << program_->errors();
  }
  void stop() {
    program_->signal(SIGTERM);
    EXPECT_EQ(program_->wait_for_end(), 0) << program_->errors();
    port_ = 0;
  }

  struct Ended {
    int code;
    std::string output;
    std::string errors;
  };
  static Ended run(const Words& words, const Program::Environment& environment = {}) {
    Program program{words, environment};
    const int code = program.wait_for_end();
    return {code, program.output(), program.errors()};
  }
  static void expect_refused(const Ended& ended, const std::string& why) {
    EXPECT_EQ(ended.code, 1);
    EXPECT_THAT(ended.errors, MatchesRegex("desk: [^\n]*\n"));
    EXPECT_THAT(ended.errors, HasSubstr(why));
  }

  http::RawAnswer ask(std::string_view method, std::string_view target,
                      std::string_view body = {}) const {
    RawClient client{port_};
    return client.ask(request(method, target, {}, body));
  }
  int add_note() const { return ask("POST", "/api/notes", R"({"text":"n"})").status; }
  std::string connections(const std::string& role = "desk_%") const {
    return server().run("postgres", "select count(*) from pg_stat_activity where datname = '" +
                                        database_ + "' and usename like '" + role + "'");
  }

  TemporaryDirectory directory_;
  const std::string database_;
  std::uint16_t port_ = 0;
  std::optional<Program> program_;
};

TEST_F(ServiceOnServerTest, serves_as_a_role_that_can_change_no_schema) {
  start(serving({migrator()}));
  EXPECT_EQ(add_note(), 201);
  EXPECT_EQ(ask("GET", "/api/notes").body, R"({"count":1})");
  EXPECT_EQ(connections("desk_migrator"), "0");
  EXPECT_NE(connections("desk_application"), "0");
  EXPECT_FALSE(std::filesystem::exists(data() / "database.sqlite"));
  stop();
  start(serving());
  EXPECT_EQ(ask("GET", "/api/notes").body, R"({"count":1})");
}

TEST_F(ServiceOnServerTest, a_schema_that_is_not_up_to_date_is_one_line) {
  expect_refused(run(serving()), "desk");
  start(serving({migrator()}));
  stop();
  const Program::Environment next{{"DESK_SECOND_MIGRATION", "create table more (id integer)"}};
  expect_refused(run(serving(), next), "migration 2 (more)");
}

// They share the data directory, in which nothing lies but the service's key.
TEST_F(ServiceOnServerTest, a_second_instance_serves_beside_the_first_and_after_it) {
  start(serving({migrator()}));
  const std::uint16_t first_port = port_;
  port_ = 0;
  Program second{serving()};
  const std::uint16_t second_port = second.wait_until_it_serves();
  ASSERT_NE(second_port, 0) << second.errors();
  for (int round = 0; round < 3; ++round) {
    for (const std::uint16_t port : {first_port, second_port}) {
      port_ = port;
      EXPECT_EQ(add_note(), 201);
    }
    if (round == 0)
      server().run("postgres",
                   "select pg_terminate_backend(pid) from pg_stat_activity where datname = '" +
                       database_ + "'");
  }
  EXPECT_EQ(ask("GET", "/api/notes").body, R"({"count":6})");
  stop();
  port_ = second_port;
  EXPECT_EQ(add_note(), 201);
  second.signal(SIGTERM);
  EXPECT_EQ(second.wait_for_end(), 0) << second.errors();
}

TEST_F(ServiceOnServerTest, commands_work_or_say_what_does_the_same_there) {
  port_ = free_port();
  start(serving({migrator()}));
  const auto expect_commands = [&] {
    EXPECT_THAT(run(serving({"parked"})).output, HasSubstr(R"("set_aside":[])"));
    expect_refused(run(serving({"backup", "b"})), "pg_dump");
    // It looks at the schema that is there, and takes no step.
    const Ended checked = run(serving({migrator(), "check"}),
                              {{"DESK_SECOND_MIGRATION", "create table more (id integer)"}});
    EXPECT_EQ(checked.output, "ready for a rollout\n") << checked.errors;
    EXPECT_EQ(server().run(database_, "select count(*) from freehold_migration"), "1");
  };
  expect_commands();
  program_->signal(SIGTERM);
  EXPECT_EQ(program_->wait_for_end(), 0);
  expect_commands();
}

TEST_F(ServiceOnServerTest, while_the_server_is_away_it_answers_so_and_then_goes_on) {
  start(serving({migrator()}));
  ASSERT_EQ(add_note(), 201);
  server().kill();
  EXPECT_EQ(ask("GET", "/livez").status, 200);
  EXPECT_EQ(ask("GET", "/readyz").status, 503);
  EXPECT_EQ(add_note(), 503);
  server().start();
  // Each refused request leaves a record; nobody else reads them.
  const auto works_again = [&](auto request) {
    return comes_true([&] {
      if (request()) return true;
      program_->wait_for_record("handler failed");
      return false;
    });
  };
  EXPECT_TRUE(works_again([&] { return ask("GET", "/readyz").status == 200; }));
  EXPECT_TRUE(works_again([&] { return add_note() == 201; }));
  EXPECT_EQ(ask("GET", "/api/notes").body, R"({"count":2})");
}

// --- Several instances: a bell rings, and one of the desks hears each ring, once -----------------

struct Desk {
  explicit Desk(const std::vector<std::string>& words) : program(words) {
    port = program.wait_until_it_serves();
    EXPECT_NE(port, 0) << program.errors();
  }
  std::string process() const { return std::to_string(program.process()); }

  Program program;
  std::uint16_t port = 0;
};

class DesksOnServerTest : public testing::Test {
 protected:
  using Words = std::vector<std::string>;

  DesksOnServerTest() : database_(server().create_database()) {
    const std::string bell = directory_.path() / "bell";
    bell_ = std::make_unique<Program>(Words{"--data=" + bell, "--port=0"},
                                      Program::Environment{{"DESK_NAME", "bell"}});
    bell_port_ = bell_->wait_until_it_serves();
    EXPECT_NE(bell_port_, 0) << bell_->errors();
    for (int i = 0; i < 2; ++i) desks_.push_back(start_desk());
  }
  void TearDown() override {
    desks_.clear();
    EXPECT_TRUE(comes_true([&] {
      return server().run("postgres", "select count(*) from pg_stat_activity where datname = '" +
                                          database_ + "'") == "0";
    }));
    server().drop_database(database_);
  }

  static ScratchCluster& server() { return ScratchCluster::shared(); }
  std::unique_ptr<Desk> start_desk() const {
    return std::make_unique<Desk>(Words{"--data=" + (directory_.path() / "desk").string(),
                                        "--port=0", "--database-url=" + server().url(database_),
                                        "--migrator-url=" + server().url(database_),
                                        "--peers=bell=127.0.0.1:" + std::to_string(bell_port_)});
  }

  static int add_note(std::uint16_t port) {
    RawClient client{port};
    return client.ask(request("POST", "/api/notes", {}, R"({"text":"n"})")).status;
  }
  void ring(int times) {
    for (int i = 0; i < times; ++i) {
      ASSERT_EQ(add_note(bell_port_), 201);
      ++rung_;
    }
  }
  std::string sql(const std::string& script) const { return server().run(database_, script); }
  std::string heard() const { return sql("select count(*) from heard"); }
  bool all_is_heard() const {
    return comes_true([&] { return heard() == std::to_string(rung_); });
  }
  void expect_each_heard_once() const {
    EXPECT_EQ(heard(), std::to_string(rung_));
    EXPECT_EQ(sql("select count(distinct note) from heard"), std::to_string(rung_));
  }
  // The desk that hears, once it does.
  std::size_t owner() {
    ring(1);
    EXPECT_TRUE(all_is_heard());
    const std::string process = sql("select process from heard order by note desc limit 1");
    return desks_[0]->process() == process ? 0 : 1;
  }
  std::string heard_by(const Desk& desk) const {
    return sql("select count(*) from heard where process = " + desk.process());
  }

  TemporaryDirectory directory_;
  const std::string database_;
  std::unique_ptr<Program> bell_;
  std::uint16_t bell_port_ = 0;
  std::vector<std::unique_ptr<Desk>> desks_;
  int rung_ = 0;
};

TEST_F(DesksOnServerTest, an_owner_that_is_killed_is_replaced_within_5_s) {
  for (int round = 0; round < 2; ++round) {
    const std::size_t killed = owner();
    desks_[killed]->program.signal(SIGKILL);
    const auto start = SteadyClock::now();
    ring(5);
    ASSERT_TRUE(all_is_heard());
    EXPECT_THAT(SteadyClock::now() - start, Le(5s));
    expect_each_heard_once();
    desks_[killed] = start_desk();
  }
}

// Of the lease of one that is killed two seconds are left at the least.
TEST_F(DesksOnServerTest, an_owner_that_stops_is_replaced_at_once) {
  for (int round = 0; round < 3; ++round) {
    const std::size_t stopped = owner();
    desks_[stopped]->program.signal(SIGTERM);
    EXPECT_EQ(desks_[stopped]->program.wait_for_end(), 0);
    const auto start = SteadyClock::now();
    ring(1);
    ASSERT_TRUE(all_is_heard());
    EXPECT_THAT(SteadyClock::now() - start, Lt(2s));
    desks_[stopped] = start_desk();
  }
  expect_each_heard_once();
}

// Each change of owner happens while the bell rings and both take notes.
TEST_F(DesksOnServerTest, what_owners_hear_that_are_stopped_and_killed_is_heard_once) {
  std::atomic<bool> done = false, no_more_notes = false;
  std::atomic<int> added = 0;
  std::jthread ringing{[&] {
    while (!done) ring(1);
  }};
  std::jthread adding{[&] {
    // One that is stopped does not answer; the note may be there all the same.
    for (std::size_t i = 0; !no_more_notes; ++i)
      if (add_note(desks_[i % 2]->port) == 201) ++added;
  }};
  const auto newest_owner = [&] {
    const std::string process = sql("select process from heard order by note desc limit 1");
    return desks_[0]->process() == process ? std::size_t{0} : std::size_t{1};
  };
  ASSERT_TRUE(comes_true([&] { return std::stoi(heard()) > 50; }));

  const std::size_t paused = newest_owner();
  const Desk& desk = *desks_[paused];
  desk.program.signal(SIGSTOP);
  ASSERT_TRUE(comes_true([&] { return newest_owner() != paused; }));
  const std::string before = heard_by(desk);
  desk.program.signal(SIGCONT);
  const int then = std::stoi(heard());
  ASSERT_TRUE(comes_true([&] { return std::stoi(heard()) > then + 100; }));
  EXPECT_EQ(heard_by(desk), before) << "it was fenced";

  no_more_notes = true;
  adding.join();
  desks_[1 - paused]->program.signal(SIGTERM);
  ASSERT_TRUE(comes_true([&] { return newest_owner() == paused; })) << "it is owner again";
  done = true;
  ringing.join();
  ASSERT_TRUE(all_is_heard());
  expect_each_heard_once();
  EXPECT_GT(added, 0);
}

}  // namespace
}  // namespace freehold
