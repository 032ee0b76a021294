// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: routes served on loopback by a real server on a thread of its own, and a
// client that writes and reads bytes as it likes.
#pragma once

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <chrono>
#include <cstdint>
#include <future>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "freehold/http/routes.h"
#include "freehold/http/server.h"

namespace freehold::http {

// Believes tokens like "bob:customer" and "bob:customer,admin:500" (for that many milliseconds),
// and services like "order".
class TrustingAuthenticator final : public Authenticator {
 public:
  Task<Result<Caller>> user(std::string bearer) override;
  Result<std::string> service(std::string_view token) override;
};

// Waits for a condition, 10 s at most; whether it came true.
bool comes_true(const std::function<bool()>& condition);

// Starts a task whose value needs no default (a Result has none).
template <class T>
std::future<T> begin(boost::asio::any_io_executor executor, Task<T> task) {
  auto promise = std::make_unique<std::promise<T>>();
  auto future = promise->get_future();
  boost::asio::co_spawn(
      executor,
      [](Task<T> awaited, std::unique_ptr<std::promise<T>> kept) -> Task<> {
        kept->set_value(co_await std::move(awaited));
      }(std::move(task), std::move(promise)),
      boost::asio::detached);
  return future;
}

// An I/O thread, and the routes and the server on it.
class ServedRoutes {
 public:
  explicit ServedRoutes(ServerOptions options = {}, int threads = 1);
  ~ServedRoutes();  // stops, within half a second

  Routes& routes() { return routes_; }
  void start();
  void stop(std::chrono::milliseconds within);
  std::uint16_t port() const { return server_->port(); }
  std::string address() const { return "127.0.0.1:" + std::to_string(port()); }
  Server& server() { return *server_; }
  boost::asio::any_io_executor executor() { return contexts_.front()->get_executor(); }

  // Runs a task on the I/O thread and waits for its value.
  template <class T>
  T run(Task<T> task) {
    return begin(executor(), std::move(task)).get();
  }

 private:
  TrustingAuthenticator authenticator_;
  Routes routes_{&authenticator_};
  std::vector<std::unique_ptr<boost::asio::io_context>> contexts_;
  std::vector<boost::asio::executor_work_guard<boost::asio::io_context::executor_type>> work_;
  std::unique_ptr<Server> server_;
  std::vector<std::jthread> threads_;
  bool started_ = false;
};

struct RawAnswer {
  int status = 0;  // 0: the connection ended before a whole answer
  std::string head;
  std::string body;

  std::string header(std::string_view name) const;  // empty: there is none
};

// A blocking client of bytes; every wait ends after 10 s.
class RawClient {
 public:
  explicit RawClient(std::uint16_t port);
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool send(std::string_view bytes) const;  // false: the server has closed
  RawAnswer answer(bool has_body = true);
  RawAnswer ask(std::string_view bytes);
  std::string read_until(std::string_view text);  // through it, or through the end
  bool is_closed();                               // waits for the server's end
  void close();

 private:
  bool read_more();

  int socket_;
  std::string arrived_;
};

// "GET /target HTTP/1.1" with Host and these further header lines; with a body its length too.
std::string request(std::string_view method, std::string_view target, std::string_view headers = {},
                    std::string_view body = {});

}  // namespace freehold::http
