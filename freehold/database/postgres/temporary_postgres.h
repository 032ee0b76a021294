// SPDX-License-Identifier: Apache-2.0
// For tests: a database of its own on the cluster that the tests of a program share.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"
#include "freehold/database/postgres/postgres_database.h"
#include "freehold/database/postgres/scratch_cluster.h"

namespace freehold {

class PostgresTest : public ::testing::Test {
 public:
  PostgresTest() : name_(cluster().create_database()) {}
  ~PostgresTest() override {
    work_.reset();
    thread_.join();
    cluster().drop_database(name_);
  }

 protected:
  static constexpr std::chrono::seconds patience{30};

  static ScratchCluster& cluster() { return ScratchCluster::shared(); }

  std::string url(std::string_view role = "postgres") const { return cluster().url(name_, role); }

  PostgresOptions options(std::string url) {
    PostgresOptions options;
    options.url = std::move(url);
    options.executor = context_.get_executor();
    options.service = "test";
    return options;
  }

  std::unique_ptr<PostgresDatabase> open(PostgresOptions options) {
    auto opened = PostgresDatabase::open(std::move(options));
    FREEHOLD_ASSERT(opened, opened.error().text().c_str());
    return *std::move(opened);
  }
  std::unique_ptr<PostgresDatabase> open() { return open(options(url())); }

  // Why it was not opened.
  std::string refusal(PostgresOptions options) {
    const auto opened = PostgresDatabase::open(std::move(options));
    if (opened) return "not refused";
    EXPECT_TRUE(opened.error().is(errors::database_unavailable));
    return std::string{opened.error().detail()};
  }

  template <class Body>
  static std::future<Result<>> submit(Database& database, Body body) {
    auto done = std::make_shared<std::promise<Result<>>>();
    database.submit(Urgency::request, {.body = std::move(body), .done = [done](Result<> outcome) {
                                         done->set_value(std::move(outcome));
                                       }});
    return done->get_future();
  }
  static Result<> outcome_of(std::future<Result<>>& future) {
    FREEHOLD_ASSERT(future.wait_for(patience) == std::future_status::ready, "no outcome in 30 s");
    return future.get();
  }
  template <class Body>
  static Result<> write(Database& database, Body body) {
    auto future = submit(database, std::move(body));
    return outcome_of(future);
  }

  // As the superuser, beside the database under test.
  std::string sql(const std::string& script) const { return cluster().run(name_, script); }

  void create_notes() const { sql("create table note (id bigint not null, text text not null)"); }

 private:
  const std::string name_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      context_.get_executor()};
  std::thread thread_{[this] { context_.run(); }};
};

inline constexpr sql::Change<void(std::int64_t, std::string_view)> insert_note{
    "insert into note (id, text) values ($1, $2)"};

}  // namespace freehold
