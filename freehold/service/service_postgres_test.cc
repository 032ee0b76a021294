// SPDX-License-Identifier: Apache-2.0
//
// The host with its database on a server, where it has two roles: one that makes the tables, and
// one that serves.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <csignal>
#include <filesystem>
#include <optional>

#include "freehold/database/postgres/scratch_cluster.h"
#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/http/testing/served_routes.h"
#include "freehold/service/test_program.h"

namespace freehold {
namespace {

using http::comes_true, http::RawClient, http::request;
using testing::HasSubstr;
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

}  // namespace
}  // namespace freehold
