// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/event_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/events/test_contract.h"
#include "freehold/events/test_service.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;

class EventLogTest : public testing::Test {
 protected:
  void start(EventLogOptions options = {}, std::uint32_t partitions = 1) {
    set_own_service("counter");
    service_.reset();
    service_ = std::make_unique<TestService>(TestServiceOptions{.name = "counter",
                                                                .directory = directory_.path(),
                                                                .partitions = partitions,
                                                                .log = options});
  }

  void count(std::string box, std::int64_t first, std::int64_t last) {
    ASSERT_TRUE(service_->write([&](SqlTransaction& transaction) -> Result<> {
      for (auto number = first; number <= last; ++number) append(transaction, Counted{box, number});
      return {};
    }));
  }

  FeedQuery after(const EventId& place) {
    FeedQuery query;
    query.after = place;
    query.timeout = 20s;
    return query;
  }
  // Every answer comes long before the timeout of its query, unless the test says another.
  FeedAnswer read(FeedQuery query, std::string reader = "keeper") {
    const Deadline soon = deadline_in(10s);
    auto answer = service_->wait_for(service_->log().read(std::move(query), std::move(reader)));
    EXPECT_TRUE(answer) << answer.error().text();
    EXPECT_LT(SteadyClock::now(), soon);
    return *std::move(answer);
  }
  Error refused(FeedQuery query) {
    auto answer = service_->wait_for(service_->log().read(std::move(query), "keeper"));
    EXPECT_FALSE(answer);
    return answer.error();
  }
  static std::vector<std::uint64_t> positions(const std::string& body) {
    const auto batch = EventBatch::read(body);
    EXPECT_TRUE(batch) << batch.error().text();
    std::vector<std::uint64_t> positions;
    for (const CloudEvent& event : (*batch)->events()) positions.push_back(event.id.position);
    return positions;
  }
  EventId head() {
    return service_->read<EventId>([](SqlTransaction& t) { return t.books().head(0).last; });
  }
  EventId low() {
    return service_->read<EventId>([](SqlTransaction& t) { return t.books().head(0).low; });
  }

  TemporaryDirectory directory_;
  std::unique_ptr<TestService> service_;
};

TEST_F(EventLogTest, answers_with_what_follows_a_place) {
  start();
  count("red", 1, 3);
  const auto all = read(after({}));
  EXPECT_THAT(positions(all.body), ElementsAre(1, 2, 3));
  EXPECT_EQ(all.after, EventId{});
  EXPECT_EQ(all.through, head());
  EXPECT_EQ(all.head, head());
  count("red", 4, 4);
  EXPECT_THAT(positions(read(after(all.through)).body), ElementsAre(4));
}

TEST_F(EventLogTest, answers_from_the_database_what_was_there_before_it_started) {
  start();
  count("red", 1, 3);
  start();
  count("red", 4, 5);
  const auto all = read(after({}));
  EXPECT_THAT(positions(all.body), ElementsAre(1, 2, 3, 4, 5));
  EXPECT_EQ(all.through, head());
}

TEST_F(EventLogTest, is_read_by_a_client_that_knows_only_the_last_event_id) {
  start();
  count("red", 1, 2);
  const auto first = service_->get("/feed/0", "anybody");
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(first.headers.find("Content-Type"), "application/cloudevents-batch+json");
  EXPECT_THAT(positions(first.body), ElementsAre(1, 2));
  count("red", 3, 3);
  const auto last = (*EventBatch::read(first.body))->events().back().id.text();
  const auto next = service_->get("/feed/0?lastEventId=" + last, "anybody");
  EXPECT_THAT(positions(next.body), ElementsAre(3));
  EXPECT_EQ(next.headers.find("Freehold-After"), last);
  EXPECT_EQ(next.headers.find("Freehold-Through"), head().text());
  EXPECT_EQ(next.headers.find("Freehold-Head"), head().text());
  EXPECT_EQ(next.headers.find("Freehold-Low"), EventId{}.text());
  EXPECT_EQ(next.headers.find("Freehold-Log")->size(), 36U);
}

TEST_F(EventLogTest, shows_itself_to_services_only) {
  start();
  for (const std::string target : {"/feed", "/feed/0", "/feed/states?family=counter.state"}) {
    EXPECT_EQ(service_->get(target, "").status, 401) << target;
    EXPECT_EQ(service_->get(target, "keeper").status, 200) << target;
  }
}

// The next reading by itself is a minute away: what wakes the reader is the commit.
TEST_F(EventLogTest, wakes_a_waiting_reader_by_the_commit_itself) {
  start({.wait_max = 60s});
  std::future<FeedAnswer> waiting = std::async([&] { return read(after({})); });
  for (int i = 0; i < 20; ++i) service_->get("/feed", "x");  // it waits by now
  count("red", 1, 1);
  EXPECT_THAT(positions(waiting.get().body), ElementsAre(1));
}

TEST_F(EventLogTest, reads_again_by_itself_when_a_wake_up_was_lost) {
  start({.wait_max = 30ms});
  service_->database().on_appended([](std::span<const StoredEvent>) {});
  std::future<FeedAnswer> waiting = std::async([&] { return read(after({})); });
  count("red", 1, 2);
  EXPECT_THAT(positions(waiting.get().body), ElementsAre(1, 2));
}

TEST_F(EventLogTest, answers_with_nothing_when_the_timeout_is_over) {
  start();
  FeedQuery query = after({});
  query.timeout = 20ms;
  const auto answer = read(query);
  EXPECT_EQ(answer.body, "[]");
  EXPECT_EQ(answer.through, EventId{});
}

TEST_F(EventLogTest, ends_waiting_requests_when_it_stops) {
  start({.wait_max = 60s});
  FeedQuery query = after({});
  query.timeout = 20s;
  std::future<FeedAnswer> waiting = std::async([&] { return read(query); });
  for (int i = 0; i < 20; ++i) service_->get("/feed", "x");
  service_->wait_for(service_->log().stop());
  EXPECT_EQ(waiting.get().body, "[]");
}

TEST_F(EventLogTest, bounds_an_answer_by_events) {
  start({.answer_events_max = 10});
  count("red", 1, 25);
  std::vector<std::size_t> sizes;
  EventId place;
  while (place != head()) {
    const auto answer = read(after(place));
    EXPECT_EQ(answer.after, place);
    sizes.push_back(positions(answer.body).size());
    place = answer.through;
  }
  EXPECT_THAT(sizes, ElementsAre(10, 10, 5));
}

TEST_F(EventLogTest, bounds_an_answer_by_bytes_from_memory_and_from_the_database) {
  start({.answer_bytes_max = 100'000});
  ASSERT_TRUE(service_->write([&](SqlTransaction& transaction) -> Result<> {
    for (int i = 0; i < 5; ++i) append(transaction, Counted{std::string(10'000, 'x'), i});
    return {};
  }));
  for (int round = 0; round < 2; ++round) {
    EventId place;
    std::size_t events = 0;
    for (int answers = 0; place != head(); ++answers) {
      ASSERT_LT(answers, 6);
      const auto answer = read(after(place));
      EXPECT_LE(answer.body.size(), 100'000U);
      EXPECT_GE(answer.events, 1U);
      events += answer.events;
      place = answer.through;
    }
    EXPECT_EQ(events, 5U);
    start({.answer_bytes_max = 100'000});
  }
}

TEST_F(EventLogTest, shows_an_event_with_a_recipient_to_that_one_only) {
  start({.hidden_max = 0ms});
  count("red", 1, 1);
  ASSERT_TRUE(service_->write([](SqlTransaction& transaction) -> Result<> {
    send(transaction, KeepNumber{"red", 2});
    return {};
  }));
  count("red", 3, 3);
  EXPECT_THAT(positions(read(after({}), "keeper").body), ElementsAre(1, 2, 3));
  const auto other = read(after({}), "other");
  EXPECT_THAT(positions(other.body), ElementsAre(1, 3));
  EXPECT_EQ(other.through, head());
  EXPECT_EQ(
      read(after({0, 1, (*EventBatch::read(other.body))->events()[0].id.stamp}), "other").events,
      1U);
}

TEST_F(EventLogTest, filters_by_family_and_moves_the_range_on) {
  start({.hidden_max = 20ms});
  count("red", 1, 3);
  FeedQuery query = after({});
  query.families = {"counter.state"};
  const auto hidden = read(query);
  EXPECT_EQ(hidden.body, "[]");
  EXPECT_EQ(hidden.through, head()) << "an empty range, so that lag stays true";
  ASSERT_TRUE(service_->write([](SqlTransaction& transaction) -> Result<> {
    append(transaction, CounterState{"red", 6, 1});
    append(transaction, CountedAgain{"red", 6});
    return {};
  }));
  EXPECT_THAT(positions(read(query).body), ElementsAre(4));
  query.families = {"counter.counted"};
  EXPECT_THAT(positions(read(query).body), ElementsAre(1, 2, 3, 5)) << "in every version";
  query.families = {"counter.*"};
  EXPECT_THAT(positions(read(query).body), ElementsAre(1, 2, 3, 4, 5));
}

TEST_F(EventLogTest, moves_a_range_on_through_much_that_is_hidden_in_bounded_steps) {
  start({.answer_events_max = 10, .tail_bytes_max = 1});
  count("red", 1, 10);
  count("red", 11, 20);
  count("red", 21, 30);
  FeedQuery query = after({});
  query.families = {"counter.state"};
  const auto hidden = read(query);
  EXPECT_EQ(hidden.body, "[]");
  EXPECT_EQ(hidden.through.position, 10U);
}

TEST_F(EventLogTest, says_that_it_does_not_hold_a_place_and_names_both) {
  start();
  count("red", 1, 3);
  for (int round = 0; round < 2; ++round) {  // from memory, then from the database
    EventId other = head();
    other.stamp ^= 1;
    const Error another = refused(after(other));
    EXPECT_TRUE(another.is(errors::log_diverged));
    EXPECT_THAT(another.text(), HasSubstr(other.text()));
    EXPECT_THAT(another.text(), HasSubstr(head().text()));

    EventId beyond = head();
    beyond.position += 1;
    const Error further = refused(after(beyond));
    EXPECT_TRUE(further.is(errors::log_diverged));
    EXPECT_THAT(further.text(), HasSubstr(beyond.text()));
    EXPECT_THAT(further.text(), HasSubstr(head().text()));
    start();
  }
  FeedQuery query = after(head());
  query.log_id = "another";
  EXPECT_TRUE(refused(query).is(errors::log_diverged));
  EXPECT_EQ(
      service_->get("/feed/0?lastEventId=00-0000000000000000002-0000000000000001", "x").status,
      409);
}

TEST_F(EventLogTest, refuses_a_partition_that_it_does_not_have) {
  start();
  FeedQuery query = after({});
  query.partition = 1;
  EXPECT_TRUE(refused(query).is(errors::malformed));
  EXPECT_EQ(service_->get("/feed/7", "x").status, 400);
  EXPECT_EQ(service_->get("/feed/0?lastEventId=nonsense", "x").status, 400);
}

// Many write at the same time while one reads in small steps: what it has read in the end is every
// position, once, in order.
TEST_F(EventLogTest, lets_nobody_miss_an_event_under_concurrent_writers) {
  start({.answer_events_max = 7});
  constexpr int writers = 4;
  constexpr int events_each = 150;
  std::vector<std::thread> threads;
  for (int writer = 0; writer < writers; ++writer)
    threads.emplace_back([&, writer] {
      for (int i = 0; i < events_each; ++i) count("box" + std::to_string(writer), i, i);
    });
  std::vector<std::uint64_t> seen;
  EventId place;
  while (seen.size() < writers * events_each) {
    const auto answer = read(after(place));
    ASSERT_EQ(answer.after, place);
    for (const auto position : positions(answer.body)) seen.push_back(position);
    place = answer.through;
  }
  for (auto& thread : threads) thread.join();
  for (std::size_t i = 0; i < seen.size(); ++i) ASSERT_EQ(seen[i], i + 1);
}

TEST_F(EventLogTest, gives_the_latest_states_in_pages_by_subject) {
  start();
  ASSERT_TRUE(service_->write([](SqlTransaction& transaction) -> Result<> {
    for (const char* box : {"d", "a", "c", "b"}) append(transaction, CounterState{box, 1, 1});
    append(transaction, CounterState{"a", 9, 2});
    append_deletion(transaction, CounterState{"c", 9, 2});
    return {};
  }));
  const auto first = service_->get("/feed/states?family=counter.state&limit=2", "keeper");
  ASSERT_EQ(first.status, 200) << first.body;
  const auto states = *EventBatch::read(first.body);
  ASSERT_EQ(states->events().size(), 2U);
  EXPECT_EQ(states->events()[0].subject, "a");
  EXPECT_EQ(states->events()[0].data, R"({"box":"a","total":9,"version":2})");
  EXPECT_EQ(states->events()[1].subject, "b");
  EXPECT_EQ(first.headers.find("Freehold-Next"), "b");
  EXPECT_EQ(first.headers.find("Freehold-Heads"), head().text());
  const auto second = service_->get("/feed/states?family=counter.state&limit=2&after=b", "keeper");
  const auto rest = *EventBatch::read(second.body);
  ASSERT_EQ(rest->events().size(), 1U) << "a deleted subject has no state";
  EXPECT_EQ(rest->events()[0].subject, "d");
  EXPECT_FALSE(second.headers.find("Freehold-Next"));
}

TEST_F(EventLogTest, a_page_of_states_ends_by_its_bytes) {
  start({.answer_bytes_max = 200});
  ASSERT_TRUE(service_->write([](SqlTransaction& transaction) -> Result<> {
    for (const char* box : {"a", "b", "c"}) append(transaction, CounterState{box, 1, 1});
    return {};
  }));
  const auto answer = service_->get("/feed/states?family=counter.state", "keeper");
  ASSERT_EQ((*EventBatch::read(answer.body))->events().size(), 1U);
  EXPECT_EQ(answer.headers.find("Freehold-Next"), "a");
}

TEST_F(EventLogTest, describes_itself) {
  start({}, 3);
  const auto log = service_->wait_for(
      service_->feed_of("counter", service_->address()).describe(deadline_in(5s)));
  ASSERT_TRUE(log) << log.error().text();
  EXPECT_EQ(log->log_id.size(), 36U);
  EXPECT_EQ(log->heads.size(), 3U);
  EXPECT_EQ(log->lows.size(), 3U);
}

}  // namespace
}  // namespace freehold
