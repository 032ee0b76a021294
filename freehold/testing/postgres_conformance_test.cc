// SPDX-License-Identifier: Apache-2.0
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "freehold/database/postgres/postgres_database.h"
#include "freehold/database/postgres/scratch_cluster.h"
#include "freehold/testing/database_conformance.h"

namespace freehold {
namespace {

namespace asio = boost::asio;

// A database of its own on the cluster of this process, and one thread that completes its work.
class PostgresUnderTest final : public DatabaseUnderTest {
 public:
  explicit PostgresUnderTest(std::uint32_t log_partitions)
      : log_partitions_(log_partitions),
        name_(ScratchCluster::shared().create_database()),
        database_(open()) {}
  ~PostgresUnderTest() override {
    second_.reset();
    database_.reset();
    work_.reset();
    thread_.join();
    ScratchCluster::shared().drop_database(name_);
  }

  Database& database() override { return *database_; }
  void reopen() override {
    database_.reset();
    database_ = open();
  }
  Database* second_instance() override {
    const std::lock_guard lock{mutex_};
    if (!second_) second_ = open();
    return second_.get();
  }

 private:
  std::unique_ptr<PostgresDatabase> open() {
    PostgresOptions options;
    options.url = ScratchCluster::shared().url(name_);
    options.executor = context_.get_executor();
    options.service = "conformance";
    options.log_partitions = log_partitions_;
    auto opened = PostgresDatabase::open(std::move(options));
    FREEHOLD_ASSERT(opened, opened.error().text().c_str());
    return *std::move(opened);
  }

  const std::uint32_t log_partitions_;
  const std::string name_;
  asio::io_context context_;
  asio::executor_work_guard<asio::io_context::executor_type> work_{context_.get_executor()};
  std::thread thread_{[this] { context_.run(); }};
  std::unique_ptr<PostgresDatabase> database_;
  std::mutex mutex_;
  std::unique_ptr<PostgresDatabase> second_;
};

DatabaseKind postgres_kind() {
  return {.name = "postgres", .make = [](std::uint32_t log_partitions) {
            return std::make_unique<PostgresUnderTest>(log_partitions);
          }};
}

INSTANTIATE_TEST_SUITE_P(Postgres, DatabaseConformance, testing::Values(postgres_kind()),
                         name_of_kind);

}  // namespace
}  // namespace freehold
