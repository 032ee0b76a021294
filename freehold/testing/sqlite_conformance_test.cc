// SPDX-License-Identifier: Apache-2.0
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <thread>

#include "freehold/database/sqlite/sqlite_database.h"
#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/testing/database_conformance.h"

namespace freehold {
namespace {

namespace asio = boost::asio;

// A database in a directory of its own, and one thread that completes its work.
class SqliteUnderTest final : public DatabaseUnderTest {
 public:
  explicit SqliteUnderTest(std::uint32_t log_partitions) : log_partitions_(log_partitions) {
    open();
  }
  ~SqliteUnderTest() override {
    database_.reset();
    work_.reset();
    thread_.join();
  }

  Database& database() override { return *database_; }
  void reopen() override {
    database_.reset();
    open();
  }

 private:
  void open() {
    SqliteOptions options;
    options.directory = directory_.path() / "data";
    options.executor = context_.get_executor();
    options.service = "conformance";
    options.log_partitions = log_partitions_;
    auto opened = SqliteDatabase::open(std::move(options));
    database_ = std::move(opened).value();
  }

  const std::uint32_t log_partitions_;
  const TemporaryDirectory directory_;
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::thread thread_{[this] { context_.run(); }};
  std::unique_ptr<SqliteDatabase> database_;
};

DatabaseKind sqlite_kind() {
  return {.name = "sqlite", .make = [](std::uint32_t log_partitions) {
            return std::make_unique<SqliteUnderTest>(log_partitions);
          }};
}

INSTANTIATE_TEST_SUITE_P(Sqlite, DatabaseConformance, testing::Values(sqlite_kind()), name_of_kind);

}  // namespace
}  // namespace freehold
