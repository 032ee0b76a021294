// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: a service as far as events need one. A real SQLite database in a
// directory, a real HTTP server on loopback, an I/O thread; its log served, and consumers of other
// logs.
#pragma once

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/database/sqlite/sqlite_database.h"
#include "freehold/events/consumer.h"
#include "freehold/events/consumer_loop.h"
#include "freehold/events/event_log.h"
#include "freehold/events/http_feed.h"
#include "freehold/http/peer.h"
#include "freehold/http/routes.h"
#include "freehold/http/server.h"
#include "freehold/http/transport.h"

namespace freehold {

// Waits for a condition, 20 s at most; whether it came true.
bool comes_true(const std::function<bool()>& condition);

struct TestServiceOptions {
  std::string name;
  std::filesystem::path directory;
  std::uint32_t partitions = 1;
  std::uint16_t port = 0;  // 0: any free one
  EventLogOptions log{};
  std::function<void(http::Routes&, Database&)> more_routes{};
};

class TestService {
 public:
  explicit TestService(TestServiceOptions options);
  ~TestService();  // an orderly stop of everything
  TestService(const TestService&) = delete;
  TestService& operator=(const TestService&) = delete;

  SqliteDatabase& database() { return *database_; }
  EventLog& log() { return *log_; }
  std::uint16_t port() const { return server_->port(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  boost::asio::any_io_executor executor() { return context_.get_executor(); }

  // The feed of another service, read as this one.
  Feed& feed_of(std::string_view name, std::string address);
  ConsumerLoop& consume(Consumer consumer, std::string address, ConsumerOptions options);
  ConsumerLoop& consume(Consumer consumer, std::string address);  // with quick_options()

  // Waits for the task on the I/O thread.
  template <class T>
  T wait_for(Task<T> task);

  // From this thread; durable when they return. A refusal is a test's mistake unless it takes it.
  Result<> write(std::function<Result<>(SqlTransaction&)> body);
  void script(std::string_view text);
  template <class T>
  T read(const std::function<T(SqlTransaction&)>& body);

  // A neighbour, to whom this service is `identity`.
  http::Peer& peer(std::string_view name, std::string address, const std::string& identity);

  // As a plain client would: the caller is whoever `identity` says.
  http::Response get(std::string target, const std::string& identity);

 private:
  class TrustingAuthenticator final : public http::Authenticator {
   public:
    Task<Result<http::Caller>> user(std::string bearer) override;
    Result<std::string> service(std::string_view token) override;
  };

  const TestServiceOptions options_;
  boost::asio::io_context context_;
  std::unique_ptr<SqliteDatabase> database_;
  std::unique_ptr<EventLog> log_;
  TrustingAuthenticator authenticator_;
  std::unique_ptr<http::Routes> routes_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Transport> transport_;
  std::vector<std::unique_ptr<http::Peer>> peers_;
  std::vector<std::unique_ptr<HttpFeed>> feeds_;
  std::vector<std::unique_ptr<ConsumerLoop>> loops_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
};

// Limits that let a test see in a moment what takes minutes in earnest.
ConsumerOptions quick_options();

template <class T>
T TestService::wait_for(Task<T> task) {
  auto promise = std::make_unique<std::promise<T>>();
  auto future = promise->get_future();
  boost::asio::co_spawn(
      context_.get_executor(),
      [](Task<T> awaited, std::unique_ptr<std::promise<T>> kept) -> Task<> {
        if constexpr (std::is_void_v<T>) {
          co_await std::move(awaited);
          kept->set_value();
        } else {
          kept->set_value(co_await std::move(awaited));
        }
      }(std::move(task), std::move(promise)),
      boost::asio::detached);
  return future.get();
}

template <class T>
T TestService::read(const std::function<T(SqlTransaction&)>& body) {
  std::optional<T> value;
  const Result<> done =
      database_->read_now([&](SqlTransaction& transaction) { value.emplace(body(transaction)); });
  FREEHOLD_ASSERT(done, "a test could not read");
  return *std::move(value);
}

}  // namespace freehold
