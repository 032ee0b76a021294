// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <utility>

#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/database/migration.h"

namespace freehold {

// A real database, with a thread for what it completes and for tasks: SQLite in a directory of its
// own, or, if the environment says FREEHOLD_SCRATCH_DATABASE=postgres, a database on a server of
// this process. Its end deletes what it has made.
class ScratchDatabase {
 public:
  ScratchDatabase();
  // One that is kept: SQLite in that directory, or a server's database by its URL.
  explicit ScratchDatabase(std::string place);
  ScratchDatabase(const ScratchDatabase&) = delete;
  ScratchDatabase& operator=(const ScratchDatabase&) = delete;
  ~ScratchDatabase();

  Database& operator*() { return *database_; }
  Database* operator->() { return database_.get(); }
  boost::asio::any_io_executor executor() { return context_.get_executor(); }

  void migrate(std::span<const Migration> migrations);  // runs their texts, in order
  void reopen();  // closes it in an orderly way and opens it again

  // Runs the body in a transaction of its own and waits for it; what it refuses is returned.
  Result<> write(std::function<Result<>(SqlTransaction&)> body);
  // What the body returns, from one snapshot.
  template <class Body>
  auto read(const Body& body) {
    std::optional<std::invoke_result_t<const Body&, SqlTransaction&>> value;
    const Result<> done =
        database_->read_now([&](SqlTransaction& transaction) { value.emplace(body(transaction)); });
    FREEHOLD_ASSERT(done, "a read of the scratch database failed");
    return *std::move(value);
  }
  // Runs a task to its end, on this database's thread, and returns what it returned.
  template <class T>
  T run(Task<T> task) {
    std::optional<T> outcome;
    boost::asio::co_spawn(context_, keep(std::move(task), &outcome), boost::asio::use_future).get();
    return *std::move(outcome);
  }

  void run(Task<> task) {
    boost::asio::co_spawn(context_, std::move(task), boost::asio::use_future).get();
  }

 private:
  template <class T>
  static Task<> keep(Task<T> task, std::optional<T>* outcome) {
    outcome->emplace(co_await std::move(task));
  }
  void open();

  explicit ScratchDatabase(bool is_on_server);
  bool is_on_server() const;
  const std::string name_;   // on the server of this process; or none
  const std::string place_;  // a directory, or a URL
  const bool is_kept_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
  std::unique_ptr<Database> database_;
  std::function<void()> stop_;  // it
};

}  // namespace freehold
