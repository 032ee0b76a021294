// SPDX-License-Identifier: Apache-2.0
//
// What every kind of database must do, as one suite. A kind is added by a test of its own:
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, DatabaseConformance, testing::Values(sqlite_kind()),
//                            name_of_kind);
//
// The cases lie in database_conformance_*.cc; they are linked into that test by naming the target
// `database_conformance`.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "freehold/database/database.h"
#include "freehold/database/transaction.h"

namespace freehold {

// One fresh, empty database, and the threads on which it completes its work. Its end deletes it.
class DatabaseUnderTest {
 public:
  virtual ~DatabaseUnderTest() = default;
  virtual Database& database() = 0;
  virtual void reopen() = 0;  // closes it in an orderly way and opens it again
  // A second instance of the service on the same database; nullptr where there can be none.
  virtual Database* second_instance() { return nullptr; }
};

struct DatabaseKind {
  std::string name;
  std::function<std::unique_ptr<DatabaseUnderTest>(std::uint32_t log_partitions)> make;
};

std::ostream& operator<<(std::ostream& out, const DatabaseKind& kind);
std::string name_of_kind(const testing::TestParamInfo<DatabaseKind>& kind);

// A database with a log of four partitions, fresh for each case. Every wait of the suite ends after
// 30 s with a failure.
class DatabaseConformance : public testing::TestWithParam<DatabaseKind> {
 public:
  DatabaseConformance();
  ~DatabaseConformance() override;

 protected:
  using Body = std::function<Result<>(SqlTransaction&)>;

  static constexpr std::uint32_t log_partitions = 4;

  Database& database() { return under_test_->database(); }
  void reopen();
  void create(std::string_view tables);  // runs a script in a transaction

  // Submits a body and waits for its outcome.
  Result<> write(const Body& body);
  // The same for one of several writers that race: where there can be several instances of a
  // service, each has a lane of its own, and the writers take turns.
  Result<> write_as(int writer, const Body& body);
  // Submits the bodies so that they are in one batch, and waits for all outcomes.
  std::vector<Result<>> write_together(const std::vector<Body>& bodies);

  // What the body returns, from a transaction that must succeed.
  template <class Body>
  auto written(const Body& body) {
    using Value = std::invoke_result_t<const Body&, SqlTransaction&>;
    std::optional<Value> value;
    const Result<> outcome = write([&](SqlTransaction& transaction) -> Result<> {
      value.emplace(body(transaction));
      return {};
    });
    EXPECT_TRUE(outcome) << outcome.error().text();
    return std::move(value).value();
  }
  template <class Body>
  auto read(const Body& body) {
    using Value = std::invoke_result_t<const Body&, SqlTransaction&>;
    std::optional<Value> value;
    const Result<> outcome =
        database().read_now([&](SqlTransaction& transaction) { value.emplace(body(transaction)); });
    EXPECT_TRUE(outcome) << outcome.error().text();
    return std::move(value).value();
  }
  // The same for what is done with the books alone.
  template <class Use>
  auto in_books(const Use& use) {
    if constexpr (std::is_void_v<std::invoke_result_t<const Use&, Books&>>) {
      const Result<> outcome = write([&](SqlTransaction& transaction) -> Result<> {
        use(transaction.books());
        return {};
      });
      EXPECT_TRUE(outcome) << outcome.error().text();
    } else {
      return written([&](SqlTransaction& transaction) { return use(transaction.books()); });
    }
  }

  // Appends the events in one transaction; returns them as they lie in the log.
  std::vector<StoredEvent> append(const std::vector<NewEvent>& events);
  // The events of each commit that the database has told of, since it was made.
  std::vector<std::vector<EventId>> commits();
  std::vector<std::vector<StoredEvent>> appended();

 private:
  void listen();

  std::mutex mutex_;
  std::vector<std::vector<StoredEvent>> appended_;
  std::unique_ptr<DatabaseUnderTest> under_test_;
};

// An event of "subject", alone in its order: {"n":…}.
NewEvent plain_event(std::string subject, int n = 0);
// A state event of "subject" in that version.
NewEvent state_event(std::string subject, std::int64_t version, bool deleted = false);

}  // namespace freehold
