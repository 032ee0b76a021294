// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/password.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "freehold/base/clock.h"
#include "freehold/base/errors.h"

namespace freehold::identity {
namespace {

namespace asio = boost::asio;

TEST(Password, is_stored_with_argon2id_its_parameters_and_a_salt_of_its_own) {
  const std::string one = hash_password("correct horse").value();
  const std::string other = hash_password("correct horse").value();
  EXPECT_THAT(one, testing::StartsWith("$argon2id$v=19$m=19456,t=2,p=1$"));
  EXPECT_EQ(one.size(), 97U);  // with 16 bytes of salt and 32 of hash
  EXPECT_NE(one, other);
  EXPECT_EQ(one.find("correct"), std::string::npos);
}

TEST(Password, is_verified_to_its_last_character) {
  const std::string encoded = hash_password("correct horse").value();
  EXPECT_TRUE(verify_password(encoded, "correct horse").value());
  EXPECT_FALSE(verify_password(encoded, "correct horsE").value());
  EXPECT_FALSE(verify_password(encoded, "").value());
  EXPECT_FALSE(verify_password(encoded, std::string{"correct horse\0", 14}).value());
}

TEST(Password, a_hash_of_another_implementation_is_understood) {
  // printf password | argon2 somesalt -id -t 2 -k 65536 -p 1 -l 32 (argon2's own test vector)
  EXPECT_TRUE(verify_password("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$"
                              "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
                              "password")
                  .value());
}

TEST(Password, what_is_no_hash_is_a_fault_and_not_a_wrong_password) {
  for (const char* encoded :
       {"plain", "$argon2id$", "$argon2i$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$AA"})
    EXPECT_TRUE(verify_password(encoded, "plain").error().is(errors::internal)) << encoded;
}

// How operations of a pool ended.
struct Outcomes {
  int done = 0;
  int overloaded = 0;
  int shutting_down = 0;
};

Task<> hash_into(PasswordPool* pool, Outcomes* outcomes) {
  const auto outcome = co_await pool->hash("a password");
  if (outcome) {
    ++outcomes->done;
  } else if (outcome.error().is(errors::overloaded)) {
    ++outcomes->overloaded;
  } else if (outcome.error().is(errors::shutting_down)) {
    ++outcomes->shutting_down;
  }
}

Task<> hash_then_verify(PasswordPool* pool, std::thread::id* resumed_on, int* verified) {
  // Short enough for the buffer inside std::string, and longer.
  for (const char* password : {"short", "a password that does not fit into a small buffer"}) {
    const auto encoded = co_await pool->hash(password);
    const auto right = co_await pool->verify(encoded.value(), password);
    const auto wrong = co_await pool->verify(encoded.value(), "another");
    const auto nobody = co_await pool->verify("", password);
    if (right.value() && !wrong.value() && !nobody.value()) ++*verified;
  }
  *resumed_on = std::this_thread::get_id();
}

TEST(PasswordPool, hashes_and_verifies_and_goes_on_with_the_callers_executor) {
  asio::io_context context;
  PasswordPool pool;
  std::thread::id resumed_on;
  int verified = 0;
  asio::co_spawn(context, hash_then_verify(&pool, &resumed_on, &verified), asio::detached);
  context.run();
  EXPECT_EQ(verified, 2);
  EXPECT_EQ(resumed_on, std::this_thread::get_id());
}

// After a second its threads give their memory back and wait without an end.
TEST(PasswordPool, goes_on_after_a_rest) {
  PasswordPool pool;
  Outcomes outcomes;
  for (int round = 0; round < 2; ++round) {
    asio::io_context context;
    asio::co_spawn(context, hash_into(&pool, &outcomes), asio::detached);
    context.run();
    const auto rest = asio::make_work_guard(context);
    context.restart();
    context.run_for(std::chrono::milliseconds{1200});
  }
  EXPECT_EQ(outcomes.done, 2);
}

TEST(PasswordPool, takes_what_its_queue_holds_and_refuses_the_rest_at_once) {
  asio::io_context context;
  PasswordPool pool{{.threads = 1, .queue_max = 3}};
  Outcomes outcomes;
  for (int i = 0; i < 20; ++i) asio::co_spawn(context, hash_into(&pool, &outcomes), asio::detached);
  context.run();
  // All 20 ask within far less time than the hashes take: three wait, one or a few are begun.
  EXPECT_EQ(outcomes.done + outcomes.overloaded, 20);
  EXPECT_GE(outcomes.done, 3);
  EXPECT_GE(outcomes.overloaded, 1);
}

TEST(PasswordPool, the_refused_are_answered_before_the_queue_is_through) {
  asio::io_context context;
  PasswordPool pool{{.threads = 1, .queue_max = 1}};
  Outcomes outcomes;
  for (int i = 0; i < 8; ++i) asio::co_spawn(context, hash_into(&pool, &outcomes), asio::detached);
  while (outcomes.overloaded == 0) ASSERT_EQ(context.run_one(), 1U);
  EXPECT_LT(outcomes.done, 2);  // behind the queue they would come after two
  context.run();
  EXPECT_EQ(outcomes.done + outcomes.overloaded, 8);
}

Task<> verify_with(PasswordPool* pool, const Outcomes* hashes, int* done_before) {
  EXPECT_TRUE(co_await pool->verify("", "a password"));
  *done_before = hashes->done;
}

TEST(PasswordPool, a_flood_of_new_passwords_does_not_hold_up_those_that_are_verified) {
  asio::io_context context;
  PasswordPool pool{{.threads = 1, .queue_max = 20}};
  Outcomes outcomes;
  for (int i = 0; i < 40; ++i) asio::co_spawn(context, hash_into(&pool, &outcomes), asio::detached);
  int done_before = -1;
  asio::co_spawn(context, verify_with(&pool, &outcomes, &done_before), asio::detached);
  context.run();
  EXPECT_GE(outcomes.overloaded, 1) << "the flood filled its queue";
  EXPECT_GE(done_before, 0) << "and not the other one";
  EXPECT_LE(done_before, 3);
}

TEST(PasswordPool, its_end_answers_what_waits) {
  asio::io_context context;
  Outcomes outcomes;
  {
    PasswordPool pool{{.threads = 1, .queue_max = 10}};
    for (int i = 0; i < 8; ++i)
      asio::co_spawn(context, hash_into(&pool, &outcomes), asio::detached);
    context.poll();
  }
  context.run();
  EXPECT_EQ(outcomes.done + outcomes.shutting_down, 8);
  EXPECT_GE(outcomes.shutting_down, 1);
}

TEST(PasswordPool, works_on_as_many_threads_as_it_was_given) {
  asio::io_context context;
  PasswordPool pool{{.threads = 3, .queue_max = 64}};
  Outcomes outcomes;
  for (int i = 0; i < 12; ++i) asio::co_spawn(context, hash_into(&pool, &outcomes), asio::detached);
  context.run();
  EXPECT_EQ(outcomes.done, 12);
  EXPECT_EQ(pool.threads(), 3U);
}

TEST(PasswordPool, has_a_thread_for_every_fourth_core) {
  EXPECT_EQ(PasswordPool{}.threads(), std::max(1U, std::thread::hardware_concurrency() / 4));
}

std::ptrdiff_t idle_threads_here() {
  std::ptrdiff_t idle = 0;
  for (const auto& thread : std::filesystem::directory_iterator{"/proc/self/task"})
    if (sched_getscheduler(std::stoi(thread.path().filename())) == SCHED_IDLE) ++idle;
  return idle;
}

TEST(PasswordPool, gives_way_to_whoever_wants_the_core) {
  asio::io_context context;
  PasswordPool pool{{.threads = 3, .queue_max = 64}};
  Outcomes outcomes;
  for (int i = 0; i < 12; ++i) asio::co_spawn(context, hash_into(&pool, &outcomes), asio::detached);
  context.run();
  const auto until = deadline_in(std::chrono::seconds{10});  // one may not have begun yet
  while (idle_threads_here() < 3 && SteadyClock::now() < until) std::this_thread::yield();
  EXPECT_EQ(idle_threads_here(), 3);
}

}  // namespace
}  // namespace freehold::identity
