// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/configuration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using testing::Pair;

class ConfigurationTest : public testing::Test {
 protected:
  void TearDown() override {
    for (const std::string& name : set_) ::unsetenv(name.c_str());
  }
  void set(const std::string& name, const std::string& value) {
    ::setenv(name.c_str(), value.c_str(), 1);
    set_.push_back(name);
  }
  std::string file(std::string_view text) {
    const auto path = directory_.path() / "desk.toml";
    std::ofstream{path} << text;
    return "--config=" + path.string();
  }
  static Result<Configuration> read(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "desk");
    std::vector<char*> words;
    for (std::string& argument : arguments) words.push_back(argument.data());
    return Configuration::read("desk", static_cast<int>(words.size()), words.data());
  }
  // One line that says this.
  static void expect_refused(const std::vector<std::string>& arguments, const std::string& why) {
    const auto refused = read(arguments);
    ASSERT_FALSE(refused) << why;
    EXPECT_TRUE(refused.error().is(errors::malformed_configuration));
    EXPECT_THAT(refused.error().detail(), AllOf(HasSubstr(why), Not(HasSubstr("\n"))));
  }

  TemporaryDirectory directory_;
  std::vector<std::string> set_;
};

TEST_F(ConfigurationTest, a_flag_wins_over_the_environment_and_that_over_the_file) {
  const std::string all = file("data = '/d'\nport = 1\nstop-timeout-s = 1\nretention-days = 1\n");
  set("FREEHOLD_PORT", "2");
  set("FREEHOLD_STOP_TIMEOUT_S", "2");
  const auto configuration = read({all, "--port=3"});
  ASSERT_TRUE(configuration) << configuration.error().detail();
  EXPECT_EQ(configuration->port, 3);
  EXPECT_EQ(configuration->stop_timeout_s, 2);
  EXPECT_EQ(configuration->retention_days, 1);
  EXPECT_EQ(configuration->data, "/d");
}

TEST_F(ConfigurationTest, a_flag_as_two_words_wins_as_well) {
  const auto configuration = read({file("data = '/d'\nport = 1\n"), "--port", "3"});
  ASSERT_TRUE(configuration) << configuration.error().detail();
  EXPECT_EQ(configuration->port, 3);
}

TEST_F(ConfigurationTest, an_empty_variable_is_none) {
  set("FREEHOLD_PORT", "");
  const auto configuration = read({file("data = '/d'\nport = 1\n")});
  ASSERT_TRUE(configuration) << configuration.error().detail();
  EXPECT_EQ(configuration->port, 1);
}

TEST_F(ConfigurationTest, the_file_can_be_named_by_the_environment) {
  set("FREEHOLD_CONFIG", file("data = '/d'\nport = 1\n").substr(std::string{"--config="}.size()));
  const auto configuration = read({});
  ASSERT_TRUE(configuration) << configuration.error().detail();
  EXPECT_EQ(configuration->port, 1);
}

TEST_F(ConfigurationTest, peers_and_callers_are_lists) {
  for (const auto& arguments :
       {std::vector<std::string>{"--data=/d", "--peers=a=h:1,b=[::1]:2", "--callers=a,b", "check"},
        {"--data=/d", "--peers", "a=h:1", "--peers", "b=[::1]:2", "--callers", "a,b", "check"},
        {file("data = '/d'\ncallers = ['a', 'b']\n[peers]\na = 'h:1'\nb = '[::1]:2'\n"),
         "check"}}) {
    const auto configuration = read(arguments);
    ASSERT_TRUE(configuration) << configuration.error().detail();
    EXPECT_THAT(configuration->peers,
                ElementsAre(Pair("a", ElementsAre("h:1")), Pair("b", ElementsAre("[::1]:2"))));
    EXPECT_THAT(configuration->callers, ElementsAre("a", "b"));
    EXPECT_THAT(configuration->command, ElementsAre("check"));
  }
}

TEST_F(ConfigurationTest, a_peer_that_is_named_again_has_several_instances) {
  for (const auto& arguments : {std::vector<std::string>{"--data=/d", "--peers=a=h:1,b=h:3,a=h:2"},
                                {file("data = '/d'\n[peers]\na = ['h:1', 'h:2']\nb = 'h:3'\n")}}) {
    const auto configuration = read(arguments);
    ASSERT_TRUE(configuration) << configuration.error().detail();
    EXPECT_THAT(configuration->peers,
                ElementsAre(Pair("a", ElementsAre("h:1", "h:2")), Pair("b", ElementsAre("h:3"))));
  }
}

TEST_F(ConfigurationTest, directories_are_absolute_and_trust_lies_beside_the_data) {
  const auto configuration = read({"--data=/shop/x/../desk/"});
  ASSERT_TRUE(configuration) << configuration.error().detail();
  EXPECT_EQ(configuration->data, "/shop/desk");
  EXPECT_EQ(configuration->trust, "/shop/trust");
}

TEST_F(ConfigurationTest, an_unknown_key_is_refused_with_the_nearest_known_one) {
  expect_refused({"--data=/d", "--prot=1"},
                 "command line: unknown key 'prot'; did you mean 'port'?");
  expect_refused({"--data=/d", "--log-levle", "info"}, "did you mean 'log-level'?");
  expect_refused({file("data = '/d'\ncallrs = []\n")},
                 "unknown key 'callrs'; did you mean 'callers'?");
}

TEST_F(ConfigurationTest, a_bad_value_is_refused_with_its_key) {
  expect_refused({"--data=/d", "--port=many"}, "port");
  expect_refused({"--data=/d", "--port=65536"}, "port");
  expect_refused({"--data=/d", "--log-level=loud"}, "log-level");
  expect_refused({"--data=/d", "--log-partitions=65"}, "log-partitions");
  expect_refused({"--data=/d", "--confine=perhaps"}, "confine");
  set("FREEHOLD_STOP_TIMEOUT_S", "-1");
  expect_refused({"--data=/d"}, "stop-timeout-s");
}

TEST_F(ConfigurationTest, a_peer_without_a_place_is_refused) {
  for (const char* peer :
       {"a", "a=", "=h:1", "a=h", "a=h:", "a=:1", "a=h:0", "a=h:1x", "a=h:65536"})
    expect_refused({"--data=/d", std::string{"--peers="} + peer}, "is not NAME=HOST:PORT");
  expect_refused({"--data=/d", "--callers=a"}, "callers: 'a' is not one of the peers");
}

TEST_F(ConfigurationTest, a_database_that_is_no_place_is_refused_with_its_key) {
  const std::string url = "postgresql://desk_application@db/desk";
  const auto configuration = read({"--data=/d", "--database-url=" + url, "--migrator-url=" + url});
  ASSERT_TRUE(configuration) << configuration.error().detail();
  EXPECT_EQ(configuration->database_url, url);
  expect_refused({"--data=/d", "--database-url=db"}, "database-url: ");
  expect_refused({"--data=/d", "--database-url=" + url, "--migrator-url=db"}, "migrator-url: ");
  expect_refused({"--data=/d", "--migrator-url=" + url}, "there is no database-url beside it");
}

TEST_F(ConfigurationTest, a_file_that_cannot_be_read_is_refused) {
  expect_refused({"--data=/d", "--config=/nowhere/desk.toml"}, "/nowhere/desk.toml");
  expect_refused({file("data = = 1")}, "desk.toml");
}

TEST_F(ConfigurationTest, data_is_needed_unless_the_reference_is_asked_for) {
  expect_refused({}, "data");
  EXPECT_TRUE(read({"reference"}));
}

}  // namespace
}  // namespace freehold
