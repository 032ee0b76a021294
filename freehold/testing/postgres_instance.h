// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/database/postgres/postgres_database.h"

namespace freehold {

// For tests: one of several instances of a service on a PostgreSQL database, with a thread for what
// it completes and for tasks.
class PostgresInstance {
 public:
  PostgresInstance(const std::string& url, std::uint32_t log_partitions) {
    PostgresOptions options;
    options.url = url;
    options.executor = context_.get_executor();
    options.service = "instance";
    options.log_partitions = log_partitions;
    auto opened = PostgresDatabase::open(std::move(options));
    FREEHOLD_ASSERT(opened, opened.error().text().c_str());
    database_ = *std::move(opened);
  }
  PostgresInstance(const PostgresInstance&) = delete;
  PostgresInstance& operator=(const PostgresInstance&) = delete;
  ~PostgresInstance() {
    database_->stop();
    work_.reset();
    thread_.join();
  }

  PostgresDatabase& operator*() { return *database_; }
  boost::asio::any_io_executor executor() { return context_.get_executor(); }

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_{
      context_.get_executor()};
  std::thread thread_{[this] { context_.run(); }};
  std::unique_ptr<PostgresDatabase> database_;
};

}  // namespace freehold
