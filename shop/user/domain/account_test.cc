// SPDX-License-Identifier: Apache-2.0
#include "shop/user/domain/account.h"

#include <gtest/gtest.h>

namespace user {
namespace {

Account an_account() {
  return {.id = UserId::make(), .email = "a@b.c", .name = "Ann", .phone = nullptr};
}

TEST(Email, spellings_of_one_address_are_equal) {
  EXPECT_EQ(normalised_email("  Ann@Example.ORG ").value(), "ann@example.org");
}

TEST(Email, what_is_no_address_is_refused) {
  for (const char* email : {"", "ann", "@example.org", "ann@", "a@b@c", "a b@c", "a\n@b"})
    EXPECT_TRUE(normalised_email(email).error().is(errors::malformed_account)) << email;
  EXPECT_FALSE(normalised_email(std::string(250, 'a') + "@b.org"));
}

TEST(Password, has_a_length_and_no_other_rule) {
  EXPECT_TRUE(check_password("eightchr"));
  EXPECT_FALSE(check_password("short"));
  EXPECT_FALSE(check_password(std::string(201, 'x')));
}

TEST(Profile, a_change_leaves_what_it_does_not_name) {
  auto account = changed(an_account(), {.phone = std::string{"123"}}).value();
  EXPECT_EQ(account.phone.value(), "123");
  account = changed(account, {.name = "Bea"}).value();
  EXPECT_EQ(account.name, "Bea");
  EXPECT_EQ(account.phone.value(), "123");
  account = changed(account, {.phone = nullptr}).value();
  EXPECT_TRUE(account.phone.is_null());
}

TEST(Profile, what_cannot_be_kept_is_refused) {
  EXPECT_FALSE(changed(an_account(), {.name = ""}));
  EXPECT_FALSE(changed(an_account(), {.phone = std::string(51, '1')}));
  EXPECT_FALSE(changed(an_account(), {.addresses = {{{"7"}}}}));
  EXPECT_TRUE(changed(an_account(), {.addresses = {{{R"("1 Long Lane")"}}}}));
}

}  // namespace
}  // namespace user
