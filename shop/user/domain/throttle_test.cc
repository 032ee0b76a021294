// SPDX-License-Identifier: Apache-2.0
#include "shop/user/domain/throttle.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "shop/user/contract/user_contract.h"

namespace user {
namespace {

class MovingClock final : public freehold::Clock {
 public:
  MovingClock() { install(this); }
  ~MovingClock() override { install(nullptr); }
  freehold::Time now() const override { return freehold::Time{} + elapsed; }
  std::chrono::nanoseconds since_start() const override { return elapsed; }

  std::chrono::seconds elapsed{1};
};

constexpr LogInThrottle::Limits tight{.failures_per_account = 2,
                                      .failures_per_address = 3,
                                      .window = std::chrono::seconds{60},
                                      .entries_max = 4};

TEST(Throttle, says_when_the_window_is_over) {
  MovingClock clock;
  Throttle throttle{{.attempts_max = 1, .window = std::chrono::seconds{60}}};
  throttle.count("1");
  clock.elapsed += std::chrono::seconds{20};
  EXPECT_EQ(throttle.check("1").error().retry_after(), std::chrono::seconds{40});
  EXPECT_TRUE(throttle.check("2"));
  clock.elapsed += std::chrono::seconds{41};
  EXPECT_TRUE(throttle.check("1"));
}

TEST(LogInThrottle, refuses_an_account_after_its_failures_until_the_window_is_over) {
  MovingClock clock;
  LogInThrottle throttle{tight};
  EXPECT_TRUE(throttle.begin("ann", "1"));
  EXPECT_TRUE(throttle.begin("ann", "2"));
  EXPECT_TRUE(throttle.begin("ann", "3").error().is(errors::too_many_attempts));
  clock.elapsed += std::chrono::seconds{61};
  EXPECT_TRUE(throttle.begin("ann", "3"));
}

TEST(LogInThrottle, refuses_an_address_that_tries_many_accounts) {
  MovingClock clock;
  LogInThrottle throttle{tight};
  for (const char* account : {"a", "b", "c"}) EXPECT_TRUE(throttle.begin(account, "1"));
  EXPECT_FALSE(throttle.begin("d", "1"));
  EXPECT_TRUE(throttle.begin("d", "2"));
}

TEST(LogInThrottle, success_is_no_failure) {
  MovingClock clock;
  LogInThrottle throttle{tight};
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(throttle.begin("ann", "1"));
    throttle.succeeded("ann", "1");
  }
}

TEST(LogInThrottle, an_attempt_that_was_not_tried_is_no_failure) {
  MovingClock clock;
  LogInThrottle throttle{tight};
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(throttle.begin("ann", "1"));
    throttle.not_tried("ann", "1");
  }
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(throttle.begin("ann", "1"));
  EXPECT_FALSE(throttle.begin("ann", "1"));
}

TEST(LogInThrottle, an_address_that_is_refused_makes_it_forget_no_account) {
  MovingClock clock;
  LogInThrottle throttle{tight};
  for (const char* address : {"1", "2"}) EXPECT_TRUE(throttle.begin("ann", address));
  for (int i = 0; i < 1000; ++i) (void)throttle.begin(std::to_string(i), "3");
  EXPECT_FALSE(throttle.begin("ann", "4"));
}

TEST(LogInThrottle, what_began_first_is_forgotten_first) {
  MovingClock clock;
  LogInThrottle throttle{tight};
  EXPECT_TRUE(throttle.begin("first", "1"));
  for (const char* address : {"2", "3"}) {
    clock.elapsed += std::chrono::seconds{1};
    EXPECT_TRUE(throttle.begin("ann", address));
  }
  for (const char* account : {"a", "b", "c"}) {
    clock.elapsed += std::chrono::seconds{1};
    EXPECT_TRUE(throttle.begin(account, account));
  }
  EXPECT_FALSE(throttle.begin("ann", "4"));
}

TEST(LogInThrottle, many_attempts_at_one_time_do_not_slip_through) {
  LogInThrottle throttle{{.failures_per_account = 50}};
  std::atomic<int> begun = 0;
  std::vector<std::jthread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, address = std::to_string(i)] {
      for (int j = 0; j < 100; ++j)
        if (throttle.begin("ann", address)) ++begun;
    });
  threads.clear();
  EXPECT_EQ(begun, 50);
}

TEST(LogInThrottle, its_memory_is_bounded) {
  MovingClock clock;
  LogInThrottle throttle{tight};
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(throttle.begin(std::to_string(i), std::to_string(i)));
}

}  // namespace
}  // namespace user
