// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/service_identity.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <future>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/identity/internal/test_surroundings.h"
#include "freehold/identity/internal/test_tokens.h"
#include "freehold/identity/token.h"

namespace freehold::identity {
namespace {

using internal::content_of, internal::mode_of;
using std::chrono::seconds;
using testing::HasSubstr;

class ServiceIdentityTest : public testing::Test {
 protected:
  Result<ServiceIdentity> open(const std::string& service) const {
    return ServiceIdentity::open(service, directory_ / service.c_str(), trust_);
  }
  std::filesystem::path private_file(const char* service) const {
    return (directory_ / service) / (std::string{service} + ".key");
  }
  std::filesystem::path public_file(const char* service) const {
    return trust_ / (std::string{service} + ".pub");
  }

  // What open() leaves behind when it is killed at its Nth visit of this crash point.
  int status_of_open_killed_at(std::string_view point, int visit) const {
    static std::string_view where;
    static int visits_left;
    where = point;
    visits_left = visit;
    const pid_t child = ::fork();
    if (child == 0) {
      install_crash_point_hook([](std::string_view name) {
        if (name == where && --visits_left == 0) std::raise(SIGKILL);
      });
      (void)open("order");
      ::_exit(0);
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
  }

  internal::StandingClock clock_;
  internal::TemporaryDirectory directory_;
  const std::filesystem::path trust_ = directory_ / "trust";
};

TEST_F(ServiceIdentityTest, the_first_start_makes_the_pair_with_its_modes) {
  const mode_t before = ::umask(077);
  const auto order = open("order").value();
  ::umask(before);
  EXPECT_EQ(mode_of(directory_ / "order"), 0700U);
  EXPECT_EQ(mode_of(private_file("order")), 0600U);
  EXPECT_EQ(mode_of(trust_), 0755U);
  EXPECT_EQ(mode_of(public_file("order")), 0644U);
  EXPECT_EQ(content_of(public_file("order")), order.verifying_key().pem());
  EXPECT_EQ(SigningKey::load(private_file("order")).value().verifying_key(), order.verifying_key());
}

TEST_F(ServiceIdentityTest, a_later_start_finds_the_same_pair_and_writes_nothing) {
  const auto first = open("order").value();
  const auto mark = internal::mark_of_key_file(public_file("order")).value();
  EXPECT_EQ(open("order").value().verifying_key(), first.verifying_key());
  EXPECT_EQ(internal::mark_of_key_file(public_file("order")).value(), mark);
}

TEST_F(ServiceIdentityTest, killed_between_the_two_files_the_next_start_publishes_the_key) {
  const int status = status_of_open_killed_at("identity.before_public_key", 1);
  ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
  ASSERT_FALSE(std::filesystem::exists(public_file("order")));
  const std::string made = content_of(private_file("order"));
  ASSERT_FALSE(made.empty());

  const auto order = open("order").value();
  EXPECT_EQ(content_of(private_file("order")), made);
  EXPECT_EQ(content_of(public_file("order")), order.verifying_key().pem());
}

TEST_F(ServiceIdentityTest, killed_before_either_file_has_its_name_the_next_start_repairs_it) {
  for (const int visit : {1, 2}) {  // the private key's rename, then the public key's
    const int status = status_of_open_killed_at("identity.before_rename", visit);
    ASSERT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << visit;
    ASSERT_FALSE(std::filesystem::exists(public_file("order")));
  }
  const auto order = open("order").value();
  EXPECT_EQ(content_of(public_file("order")), order.verifying_key().pem());
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{trust_}, {}), 1);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator{directory_ / "order"}, {}), 1);
}

TEST_F(ServiceIdentityTest, a_public_file_that_is_not_this_keys_is_written_anew) {
  const std::string right = open("order").value().verifying_key().pem();
  EXPECT_TRUE(internal::write_key_file(public_file("order"), "something else", 0644));
  EXPECT_TRUE(open("order"));
  EXPECT_EQ(content_of(public_file("order")), right);
}

TEST_F(ServiceIdentityTest, only_its_owners_file_is_written) {
  const auto product = open("product").value();
  const auto mark = internal::mark_of_key_file(public_file("product")).value();
  const auto order = open("order").value();
  EXPECT_EQ(internal::mark_of_key_file(public_file("product")).value(), mark);
}

TEST_F(ServiceIdentityTest, a_broken_private_key_stops_the_start_and_stays) {
  (void)open("order");
  EXPECT_TRUE(internal::write_key_file(private_file("order"), "broken", 0600));
  EXPECT_TRUE(open("order").error().is(errors::keys_unusable));
  EXPECT_EQ(content_of(private_file("order")), "broken");
}

TEST_F(ServiceIdentityTest, a_directory_that_others_may_write_to_stops_the_start) {
  EXPECT_TRUE(open("order"));
  for (const mode_t mode : {0775U, 0757U, 01777U}) {
    ::chmod(trust_.c_str(), mode);
    const auto outcome = open("order");
    ASSERT_TRUE(outcome.error().is(errors::keys_unusable)) << mode;
    EXPECT_THAT(outcome.error().text(), HasSubstr(trust_.string() + ": others may write to it"));
  }
  ::chmod(trust_.c_str(), 0755);
  ::chmod((directory_ / "order").c_str(), 0770);
  EXPECT_TRUE(open("order").error().is(errors::keys_unusable));
}

TEST_F(ServiceIdentityTest, what_is_no_service_name_makes_no_path) {
  for (const char* name : {"", "../../x", "Order", "1order", "or/der", "or.der", "or der", "_order",
                           "a23456789012345678901234567890123"}) {
    EXPECT_FALSE(is_service_name(name)) << name;
    EXPECT_TRUE(
        ServiceIdentity::open(name, directory_ / "private", trust_).error().is(errors::malformed))
        << name;
  }
  EXPECT_FALSE(is_service_name(std::string{"order\0x", 7}));
  EXPECT_TRUE(is_service_name("a2345678901234567890123456789_12"));
  EXPECT_FALSE(std::filesystem::exists(directory_ / "private"));
}

TEST_F(ServiceIdentityTest, instances_that_start_at_one_time_are_one_service) {
  for (int round = 0; round < 20; ++round) {
    const auto here = directory_ / std::to_string(round).c_str();
    const auto open = [&] { return ServiceIdentity::open("order", here / "data", here / "trust"); };
    auto first = std::async(std::launch::async, open),
         second = std::async(std::launch::async, open);
    const auto one = first.get(), other = second.get();
    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->verifying_key().pem(), other->verifying_key().pem());
  }
}

TEST_F(ServiceIdentityTest, the_token_of_a_caller_names_it_to_its_audience_alone) {
  auto order = open("order").value();
  ServiceTrust trust{trust_};
  const std::string token = order.token_for("product");
  EXPECT_EQ(trust.caller_of(token, "product").value(), "order");
  EXPECT_TRUE(trust.caller_of(token, "user").error().is(errors::unauthenticated));
  ServiceTrust of_user{trust_};
  EXPECT_TRUE(of_user.caller_of(token, "user").error().is(errors::unauthenticated));
}

TEST_F(ServiceIdentityTest, a_token_is_given_out_again_until_it_nears_its_end) {
  auto order = open("order").value();
  const std::string first = order.token_for("product");
  EXPECT_NE(order.token_for("user"), first);
  clock_.pass(seconds{39});
  EXPECT_EQ(order.token_for("product"), first);
  clock_.pass(seconds{1});
  const std::string renewed = order.token_for("product");
  EXPECT_NE(renewed, first);
  ServiceTrust trust{trust_};
  EXPECT_TRUE(trust.caller_of(renewed, "product"));
}

TEST_F(ServiceIdentityTest, a_token_ends_a_minute_and_the_skew_after_it_was_made) {
  auto order = open("order").value();
  ServiceTrust trust{trust_};
  const std::string token = order.token_for("product");
  clock_.pass(seconds{89});
  EXPECT_TRUE(trust.caller_of(token, "product"));
  clock_.pass(seconds{1});
  EXPECT_TRUE(trust.caller_of(token, "product").error().is(errors::unauthenticated));
}

TEST_F(ServiceIdentityTest,
       a_service_that_starts_later_and_a_new_key_are_believed_without_restart) {
  ServiceTrust trust{trust_};
  std::filesystem::create_directory(trust_);
  auto lone =
      ServiceIdentity::open("order", directory_ / "order", directory_ / "elsewhere").value();
  EXPECT_TRUE(
      trust.caller_of(lone.token_for("product"), "product").error().is(errors::unauthenticated));

  auto order = open("order").value();
  EXPECT_TRUE(trust.caller_of(order.token_for("product"), "product"));

  std::filesystem::remove(private_file("order"));
  auto reborn = open("order").value();
  ASSERT_NE(reborn.verifying_key(), order.verifying_key());
  EXPECT_EQ(trust.caller_of(reborn.token_for("product"), "product").value(), "order");
}

TEST_F(ServiceIdentityTest, a_service_whose_public_key_is_taken_away_is_believed_no_more) {
  auto order = open("order").value();
  ServiceTrust trust{trust_};
  EXPECT_TRUE(trust.caller_of(order.token_for("product"), "product"));
  std::filesystem::remove(public_file("order"));
  clock_.pass(seconds{60});
  EXPECT_TRUE(
      trust.caller_of(order.token_for("product"), "product").error().is(errors::unauthenticated));
}

TEST_F(ServiceIdentityTest, a_token_that_is_good_for_more_than_a_minute_is_not_believed) {
  (void)open("order");
  const auto key = SigningKey::load(private_file("order")).value();
  ServiceTrust trust{trust_};
  Claims claims{.issuer = "order",
                .subject = "order",
                .audience = "product",
                .issued_at = now(),
                .expires_at = now() + seconds{60}};
  EXPECT_EQ(trust.caller_of(sign(claims, key), "product").value(), "order");
  claims.expires_at = now() + seconds{61};
  EXPECT_TRUE(trust.caller_of(sign(claims, key), "product").error().is(errors::unauthenticated));
}

TEST_F(ServiceIdentityTest, a_service_cannot_speak_for_another) {
  (void)open("order");
  (void)open("product");
  const SigningKey product = SigningKey::load(private_file("product")).value();
  ServiceTrust trust{trust_};
  const Claims claims{.issuer = "order",
                      .subject = "order",
                      .audience = "user",
                      .issued_at = now(),
                      .expires_at = now() + seconds{60}};
  EXPECT_TRUE(trust.caller_of(sign(claims, product), "user").error().is(errors::unauthenticated));
}

TEST_F(ServiceIdentityTest, a_malicious_issuer_reaches_no_file) {
  // A key that the caller made itself lies where "../evil" would lead; nobody may follow.
  std::filesystem::create_directory(trust_);
  const SigningKey evil = SigningKey::generate();
  EXPECT_TRUE(internal::write_key_file(directory_ / "evil.pub", evil.verifying_key().pem(), 0644));
  ServiceTrust trust{trust_};
  for (const char* issuer :
       {"../evil", "../../x", "/etc/passwd", "", ".", "evil/../../evil", "Order", "order.pub"}) {
    const Claims claims{.issuer = issuer,
                        .subject = issuer,
                        .audience = "user",
                        .issued_at = now(),
                        .expires_at = now() + seconds{60}};
    const auto outcome = trust.caller_of(sign(claims, evil), "user");
    ASSERT_TRUE(outcome.error().is(errors::unauthenticated)) << issuer;
    EXPECT_EQ(outcome.error().detail(), "its issuer is no service's name") << issuer;
  }
}

TEST_F(ServiceIdentityTest, nobody_is_believed_where_others_may_write) {
  auto order = open("order").value();
  ServiceTrust trust{trust_};
  ::chmod(trust_.c_str(), 0777);
  const auto outcome = trust.caller_of(order.token_for("product"), "product");
  ASSERT_TRUE(outcome.error().is(errors::keys_unusable));
  EXPECT_THAT(outcome.error().text(), HasSubstr("chmod go-w"));
  ::chmod(trust_.c_str(), 0755);

  ::chmod(public_file("order").c_str(), 0666);
  EXPECT_TRUE(
      trust.caller_of(order.token_for("product"), "product").error().is(errors::keys_unusable));
  ::chmod(public_file("order").c_str(), 0644);
  EXPECT_TRUE(trust.caller_of(order.token_for("product"), "product"));
}

TEST_F(ServiceIdentityTest, a_link_in_the_trust_directory_is_not_followed) {
  auto order = open("order").value();
  std::filesystem::rename(public_file("order"), directory_ / "moved.pub");
  std::filesystem::create_symlink(directory_ / "moved.pub", public_file("order"));
  ServiceTrust trust{trust_};
  EXPECT_TRUE(
      trust.caller_of(order.token_for("product"), "product").error().is(errors::keys_unusable));
}

}  // namespace
}  // namespace freehold::identity
