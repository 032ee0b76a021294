// SPDX-License-Identifier: Apache-2.0
//
// A child process runs the same story every time: "counter" appends thirty events and three states,
// "keeper" applies them, answers commands, sets one event aside and tries it again. It is killed at
// every crash point of this room, started again, and in the end every effect is there once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <set>

#include "freehold/base/crash_point.h"
#include "freehold/events/commands.h"
#include "freehold/events/test_counting.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;

constexpr std::uint64_t events_in_story = 30;
constexpr std::uint64_t states_in_story = 3;

std::string environment(const char* name) {
  const char* text = std::getenv(name);  // NOLINT(concurrency-mt-unsafe): nobody sets it meanwhile
  return text ? text : "";
}

// 5 fails until its third attempt; the deadly number kills the process whenever it is tried.
void keep_in_story(SqlTransaction& transaction, const Counted& event, const Delivery& delivery) {
  keep(transaction, event, delivery);
  if (event.number == 5 && delivery.attempt < 3) throw std::runtime_error("not yet");
  if (std::to_string(event.number) == environment("FREEHOLD_TEST_DEADLY")) std::raise(SIGKILL);
}

Result<Kept> keep_number_in_story(SqlTransaction& transaction, const KeepNumber& command,
                                  const Delivery& delivery) {
  keep(transaction, Counted{command.box, command.number}, delivery);
  return Kept{command.number};
}

// The event at that position of the counter's log.
void append_event_of_story(SqlTransaction& transaction, std::int64_t position) {
  if (position > static_cast<std::int64_t>(events_in_story))
    append(transaction, CounterState{"box" + std::to_string(position), position, 1});
  else if (position % 3 == 0)
    send(transaction, KeepNumber{"green", position}, "saga/" + std::to_string(position));
  else
    append(transaction, Counted{position % 3 == 1 ? "red" : "blue", position});
}

class CrashTest : public CountingTest {
 protected:
  void SetUp() override { set_own_service("counter"); }

  // Runs the story in a child; how it ended, as wait(2) says.
  int run_child(const std::string& crash_at, const std::string& deadly = "") {
    const std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    const pid_t child = fork();
    if (child == 0) {
      setenv("FREEHOLD_TEST_DIRECTORY", directory_.path().c_str(), 1);
      setenv("FREEHOLD_CRASH_AT", crash_at.c_str(), 1);
      setenv("FREEHOLD_TEST_DEADLY", deadly.c_str(), 1);
      execl(program.c_str(), program.c_str(), "--gtest_filter=StoryTest.DISABLED_runs",
            "--gtest_also_run_disabled_tests", "--gtest_brief=1", nullptr);
      _exit(127);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return status;
  }
  static bool was_killed(int status) { return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL; }
  static bool succeeded(int status) { return WIFEXITED(status) && WEXITSTATUS(status) == 0; }

  void reset() {
    keeper_.reset();
    counter_.reset();
    std::filesystem::remove_all(directory_.path() / "counter");
    std::filesystem::remove_all(directory_.path() / "keeper");
  }

  void expect_each_effect_once() {
    start_counter();
    start_keeper();
    std::set<std::string> answered;
    std::size_t replies = 0;
    const auto answer = keeper_->get("/feed/0", "counter");
    for (const auto batch = *EventBatch::read(answer.body);
         const CloudEvent& event : batch->events())
      if (event.type == "freehold.reply.v1") {
        answered.emplace(event.in_reply_to);
        ++replies;
      }
    EXPECT_EQ(answered.size(), events_in_story / 3);
    EXPECT_EQ(replies, answered.size());
    EXPECT_THAT(numbers("red"), ElementsAre(1, 4, 7, 10, 13, 16, 19, 22, 25, 28));
    EXPECT_THAT(numbers("blue"), ElementsAre(2, 5, 8, 11, 14, 17, 20, 23, 26, 29));
    EXPECT_THAT(numbers("green"), ElementsAre(3, 6, 9, 12, 15, 18, 21, 24, 27, 30));
    for (std::int64_t state = 31; state <= 33; ++state)
      EXPECT_THAT(numbers("box" + std::to_string(state)), ElementsAre(state));
    EXPECT_TRUE(aside().empty());
  }
};

// --- The child -----------------------------------------------------------------------------------

class StoryTest : public testing::Test {
 protected:
  static std::uint64_t head(TestService& service) {
    return service.read<std::uint64_t>(
        [](SqlTransaction& t) { return t.books().head(0).last.position; });
  }
  static bool has_applied_all(TestService& keeper, std::uint64_t head) {
    return keeper.read<bool>([head](SqlTransaction& transaction) {
      Books& books = transaction.books();
      for (const char* consumer : {"keeping@counter", "commands@counter", "states@counter"}) {
        const auto cursor = books.cursor(consumer, 0);
        if (!cursor || cursor->at.position < head) return false;
        for (const std::string& key : books.aside_keys(consumer))
          if (!books.aside_of(consumer, key).front().parked) return false;
      }
      return true;
    });
  }
};

TEST_F(StoryTest, DISABLED_runs) {
  const std::filesystem::path directory = environment("FREEHOLD_TEST_DIRECTORY");
  ASSERT_FALSE(directory.empty()) << "it is run by CrashTest only";
  set_own_service("counter");
  TestService counter(
      {.name = "counter",
       .directory = directory / "counter",
       .log = {.hidden_max = 5ms, .age = 0h, .sweep_every = 3'600'000ms, .sweep_events_max = 7}});
  TestService keeper({.name = "keeper", .directory = directory / "keeper"});
  keeper.script(
      "create table if not exists kept (place integer primary key, box text not null,"
      " number integer not null)");
  Consumer keeping{"keeping", "counter"};
  keeping.on(keep_in_story);
  Commands commands{"keeper"};
  commands.on(keep_number_in_story);
  Consumer states{"states", "counter", BeginAt::state};
  states.on<CounterState>(
      [](SqlTransaction& transaction, const CounterState& state, const Delivery& delivery) {
        keep(transaction, Counted{state.box, state.total}, delivery);
      });
  ConsumerOptions options = quick_options();
  options.attempts_max = 10;  // an attempt that dies counts as well
  keeper.consume(keeping, counter.address(), options);
  keeper.consume(commands.from("counter"), counter.address());
  while (head(counter) < events_in_story + states_in_story)
    ASSERT_TRUE(counter.write([&](SqlTransaction& transaction) -> Result<> {
      append_event_of_story(transaction, static_cast<std::int64_t>(head(counter)) + 1);
      return {};
    }));
  options.batch_events_max = 1;  // a page for each state
  keeper.consume(states, counter.address(), options);
  ASSERT_TRUE(
      comes_true([&] { return has_applied_all(keeper, events_in_story + states_in_story); }));
  ASSERT_TRUE(counter.wait_for(counter.log().sweep()));
}

// --- Its parent ----------------------------------------------------------------------------------

TEST_F(CrashTest, leaves_each_effect_once_wherever_it_happens) {
  ASSERT_TRUE(succeeded(run_child("")));
  expect_each_effect_once();
  std::size_t points = 0;
  for (const std::string_view point : crash_points()) {
    if (!point.starts_with("consumer.") && !point.starts_with("feed.")) continue;
    ++points;
    reset();
    SCOPED_TRACE(point);
    // Only a life after an unclean end is a careful one.
    if (point == "consumer.after_note_try")
      ASSERT_TRUE(was_killed(run_child("consumer.after_cursor:4")));
    EXPECT_TRUE(was_killed(run_child(std::string{point}))) << "this point was not reached";
    EXPECT_TRUE(succeeded(run_child("")));
    expect_each_effect_once();
  }
  EXPECT_GE(points, 11U);
}

TEST_F(CrashTest, again_and_again_leaves_each_effect_once) {
  reset();
  for (const char* point :
       {"consumer.after_handler:3", "consumer.before_commit:6", "consumer.after_commit:2",
        "log.after_append:2", "log.after_heads:3", "feed.before_answer:5",
        "consumer.after_set_aside", "consumer.after_redrive:2", "consumer.after_cursor:12",
        "consumer.after_states:2"})
    (void)run_child(point);
  EXPECT_TRUE(succeeded(run_child("")));
  expect_each_effect_once();
}

TEST_F(CrashTest, of_the_same_event_again_and_again_parks_it_and_lets_the_others_pass) {
  int deaths = 0;
  while (deaths < 10 && was_killed(run_child("", "13"))) ++deaths;
  EXPECT_EQ(deaths, 4) << "once in its batch, and three times with its position noted";
  start_counter();
  start_keeper();
  EXPECT_THAT(numbers("red"), ElementsAre(1, 4, 7, 10));
  EXPECT_THAT(numbers("blue"), ElementsAre(2, 5, 8, 11, 14, 17, 20, 23, 26, 29));
  const auto waiting = aside();
  ASSERT_EQ(waiting.size(), 6U);
  EXPECT_TRUE(waiting[0].parked);
  EXPECT_EQ(waiting[0].id.position, 13U);
  keeper_.reset();
  counter_.reset();
  // A person lets it be tried again, with a program that does not die of it.
  start_keeper();
  ASSERT_TRUE(keeper_->write([](SqlTransaction& transaction) -> Result<> {
    AsideEvent first = transaction.books().aside_of("keeping@counter", "red").front();
    first.parked = false;
    first.attempts = 0;
    first.next_try = now();
    transaction.books().update_aside(first);
    return {};
  }));
  keeper_.reset();
  EXPECT_TRUE(succeeded(run_child("")));
  expect_each_effect_once();
}

}  // namespace
}  // namespace freehold
