// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/database_conformance.h"

#include <chrono>
#include <future>
#include <semaphore>

#include "freehold/base/errors.h"

namespace freehold {
namespace {

constexpr std::chrono::seconds patience{30};

Result<> outcome_of(std::future<Result<>>& future) {
  if (future.wait_for(patience) == std::future_status::ready) return future.get();
  ADD_FAILURE() << "a transaction had no outcome within 30 s";
  return errors::deadline_exceeded;
}

std::future<Result<>> submit(Database& database, std::function<Result<>(SqlTransaction&)> body) {
  auto done = std::make_shared<std::promise<Result<>>>();
  auto future = done->get_future();
  database.submit(Urgency::request, {.body = std::move(body), .done = [done](Result<> outcome) {
                                       done->set_value(std::move(outcome));
                                     }});
  return future;
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const DatabaseKind& kind) {
  return out << kind.name;
}

std::string name_of_kind(const testing::TestParamInfo<DatabaseKind>& kind) {
  return kind.param.name;
}

DatabaseConformance::DatabaseConformance() : under_test_(GetParam().make(log_partitions)) {
  listen();
}

DatabaseConformance::~DatabaseConformance() = default;

void DatabaseConformance::listen() {
  database().on_appended([this](std::span<const StoredEvent> events) {
    const std::lock_guard lock{mutex_};
    appended_.emplace_back(events.begin(), events.end());
  });
}

void DatabaseConformance::reopen() {
  under_test_->reopen();
  listen();
}

void DatabaseConformance::create(std::string_view tables) {
  const Result<> outcome = write([tables](SqlTransaction& transaction) -> Result<> {
    transaction.run_script(tables);
    return {};
  });
  ASSERT_TRUE(outcome) << outcome.error().text();
}

Result<> DatabaseConformance::write(const Body& body) {
  auto future = submit(database(), body);
  return outcome_of(future);
}

Result<> DatabaseConformance::write_as(int writer, const Body& body) {
  Database* const second = under_test_->second_instance();
  auto future = submit(second && writer % 2 == 1 ? *second : database(), body);
  return outcome_of(future);
}

// The lane is held in a body of its own batch until all others are queued behind it.
std::vector<Result<>> DatabaseConformance::write_together(const std::vector<Body>& bodies) {
  auto held = std::make_shared<std::counting_semaphore<>>(0);
  auto open = std::make_shared<std::promise<void>>();
  auto gate = submit(database(), [held, opened = open->get_future().share()](SqlTransaction&) {
    held->release();
    EXPECT_EQ(opened.wait_for(patience), std::future_status::ready);
    return Result<>{};
  });
  EXPECT_TRUE(held->try_acquire_for(patience)) << "the lane does not run";
  std::vector<std::future<Result<>>> futures;
  futures.reserve(bodies.size());
  for (const Body& body : bodies) futures.push_back(submit(database(), body));
  open->set_value();
  EXPECT_TRUE(outcome_of(gate));

  std::vector<Result<>> outcomes;
  outcomes.reserve(futures.size());
  for (auto& future : futures) outcomes.push_back(outcome_of(future));
  return outcomes;
}

std::vector<StoredEvent> DatabaseConformance::append(const std::vector<NewEvent>& events) {
  const Result<> outcome = write([&](SqlTransaction& transaction) -> Result<> {
    for (const NewEvent& event : events) transaction.append(event);
    return {};
  });
  EXPECT_TRUE(outcome) << outcome.error().text();
  const std::lock_guard lock{mutex_};
  return appended_.empty() ? std::vector<StoredEvent>{} : appended_.back();
}

std::vector<std::vector<StoredEvent>> DatabaseConformance::appended() {
  const std::lock_guard lock{mutex_};
  return appended_;
}

std::vector<std::vector<EventId>> DatabaseConformance::commits() {
  std::vector<std::vector<EventId>> commits;
  for (const auto& events : appended()) {
    auto& ids = commits.emplace_back();
    for (const StoredEvent& event : events) ids.push_back(event.id);
  }
  return commits;
}

NewEvent plain_event(std::string subject, int n) {
  return {.type = "test.happened.v1",
          .subject = subject,
          .partition_key = std::move(subject),
          .recipient = {},
          .json = "\"n\":" + std::to_string(n)};
}

NewEvent state_event(std::string subject, std::int64_t version, bool deleted) {
  return {.type = "test.state.v1",
          .subject = subject,
          .partition_key = std::move(subject),
          .recipient = {},
          .state_version = version,
          .deleted = deleted,
          .json = "\"version\":" + std::to_string(version)};
}

}  // namespace freehold
