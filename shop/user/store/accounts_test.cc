// SPDX-License-Identifier: Apache-2.0
#include "shop/user/store/accounts.h"

#include <gtest/gtest.h>

#include "freehold/events/event.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/scratch_database.h"
#include "shop/user/store/migrations.h"
#include "shop/user/store/sessions.h"

namespace user {
namespace {

using freehold::Result, freehold::SqlTransaction;
using namespace std::chrono_literals;

class Accounts : public testing::Test {
 protected:
  Accounts() {
    freehold::set_own_service("user");
    database_.migrate(migrations());
    EXPECT_TRUE(add(ann_));
  }

  Result<> add(const Account& account) {
    return database_.write([&](SqlTransaction& t) { return insert(t, account, "hash"); });
  }
  void log_in(const std::string& token) {
    EXPECT_TRUE(database_.write([&](SqlTransaction& t) -> Result<> {
      session_ = start_session(t, ann_.id, token);
      return {};
    }));
  }
  bool refreshes(const std::string& used, const std::string& next) {
    std::optional<Refreshed> refreshed;
    EXPECT_TRUE(database_.write([&](SqlTransaction& t) -> Result<> {
      refreshed = refresh(t, used, next);
      return {};
    }));
    return refreshed.has_value();
  }

  freehold::ManualClock clock_;
  freehold::ScratchDatabase database_;
  Account ann_{.id = UserId::make(),
               .email = "ann@example.org",
               .name = "Ann",
               .phone = nullptr,
               .addresses = {{R"("1 Long Lane")"}}};
  SessionId session_;
};

TEST_F(Accounts, an_email_address_has_one_account) {
  Account second = ann_;
  second.id = UserId::make();
  EXPECT_TRUE(add(second).error().is(errors::email_taken));
}

TEST_F(Accounts, an_account_is_read_as_it_was_written) {
  const auto read = database_.read([&](SqlTransaction& t) { return find(t, ann_.id); });
  EXPECT_EQ(read->email, ann_.email);
  EXPECT_TRUE(read->phone.is_null());
  EXPECT_EQ(read->addresses, ann_.addresses);
}

TEST_F(Accounts, a_refresh_token_is_used_once_and_replaced) {
  log_in("one");
  EXPECT_TRUE(refreshes("one", "two"));
  EXPECT_TRUE(refreshes("two", "three"));
  EXPECT_FALSE(refreshes("never issued", "four"));
}

TEST_F(Accounts, a_second_use_within_the_grace_is_taken_for_a_retry) {
  log_in("one");
  EXPECT_TRUE(refreshes("one", "two"));
  clock_.advance(10s);
  EXPECT_TRUE(refreshes("one", "three"));
  EXPECT_TRUE(refreshes("two", "four"));
}

TEST_F(Accounts, a_later_second_use_revokes_the_whole_family) {
  log_in("one");
  EXPECT_TRUE(refreshes("one", "two"));
  clock_.advance(11s);
  EXPECT_FALSE(refreshes("one", "three"));
  EXPECT_FALSE(refreshes("two", "four"));
}

TEST_F(Accounts, a_session_ends_with_log_out_and_with_age) {
  log_in("one");
  EXPECT_TRUE(database_.write([&](SqlTransaction& t) -> Result<> {
    end_session(t, session_);
    return {};
  }));
  EXPECT_FALSE(refreshes("one", "two"));
  log_in("three");
  clock_.advance(std::chrono::days{31});
  EXPECT_FALSE(refreshes("three", "four"));
}

TEST_F(Accounts, a_log_in_forgets_the_sessions_that_ended_by_age) {
  log_in("one");
  EXPECT_TRUE(refreshes("one", "two"));
  clock_.advance(std::chrono::days{20});
  log_in("three");
  clock_.advance(std::chrono::days{11});
  log_in("four");
  constexpr freehold::sql::Query<std::int64_t()> tokens{"select count(*) as n from refresh_token"};
  EXPECT_EQ(database_.read([&](SqlTransaction& t) { return t.first(tokens); }), 2);
  EXPECT_TRUE(refreshes("three", "five"));
}

TEST_F(Accounts, an_erased_account_is_gone_and_the_event_says_only_whose_it_was) {
  log_in("one");
  EXPECT_TRUE(database_.write([&](SqlTransaction& t) -> Result<> {
    erase(t, ann_.id);
    return {};
  }));
  EXPECT_FALSE(database_.read([&](SqlTransaction& t) { return find(t, ann_.id); }));
  EXPECT_FALSE(refreshes("one", "two"));
  const auto events =
      database_.read([](SqlTransaction& t) { return t.books().events_after(0, 0, 10, 1 << 20); });
  ASSERT_EQ(events.size(), 1U);
  EXPECT_EQ(events[0].type, "user.erased.v1");
  EXPECT_NE(events[0].json.find(ann_.id.text()), std::string::npos);
  EXPECT_EQ(events[0].json.find("ann@"), std::string::npos);
}

}  // namespace
}  // namespace user
