// SPDX-License-Identifier: Apache-2.0
// For tests: a SQLite database in a directory of its own, gone with the test.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>  // mkdtemp

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "freehold/base/assert.h"
#include "freehold/database/sqlite/sqlite_database.h"

namespace freehold {

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "freehold-XXXXXX").string();
    FREEHOLD_ASSERT(::mkdtemp(name.data()), "no temporary directory");
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Everything happens on the test's thread, when it says so: what is submitted before run() is one
// batch, and outcomes are told before run() returns.
class SqliteTest : public ::testing::Test {
 protected:
  SqliteOptions options() {
    SqliteOptions options;
    options.directory = directory_.path() / "data";
    options.executor = context_.get_executor();
    options.service = "test";
    options.start_lane = false;
    return options;
  }

  void open(SqliteOptions options) {
    database_.reset();
    auto opened = SqliteDatabase::open(std::move(options));
    ASSERT_TRUE(opened) << opened.error().text();
    database_ = *std::move(opened);
  }

  void SetUp() override {
    open(options());
    script("create table note (id integer primary key, text text not null)");
  }

  void TearDown() override {
    database_.reset();
    context_.restart();
    context_.run();
  }

  void script(const std::string& text) {
    const Result<> done = database_->write_now([&](SqlTransaction& transaction) -> Result<> {
      transaction.run_script(text);
      return {};
    });
    ASSERT_TRUE(done) << done.error().text();
  }

  // The place in `outcomes` is the order of submission.
  template <class Body>
  void submit(Body body, Urgency urgency = Urgency::request) {
    const std::size_t place = outcomes_.size();
    outcomes_.emplace_back();
    database_->submit(urgency, Job{std::move(body), [this, place](Result<> outcome) {
                                     outcomes_[place].push_back(std::move(outcome));
                                   }});
  }

  void run() {
    database_->run_pending();
    context_.restart();
    context_.run();
  }

  // Of the job that was submitted as number `place`; told exactly once.
  const Result<>& outcome(std::size_t place) {
    EXPECT_EQ(outcomes_.at(place).size(), 1U);
    return outcomes_.at(place).front();
  }

  std::vector<std::int64_t> notes() {
    static constexpr sql::Query<std::int64_t()> ids{"select id from note order by id"};
    std::vector<std::int64_t> found;
    const Result<> done =
        database_->read_now([&](SqlTransaction& transaction) { found = transaction.all(ids); });
    EXPECT_TRUE(done);
    return found;
  }

  TemporaryDirectory directory_;
  boost::asio::io_context context_;
  std::unique_ptr<SqliteDatabase> database_;
  std::vector<std::vector<Result<>>> outcomes_;
};

inline constexpr sql::Change<void(std::int64_t, std::string)> insert_note{
    "insert into note (id, text) values ($1, $2)"};

}  // namespace freehold
