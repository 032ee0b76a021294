// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/http/routes.h"

namespace freehold::http {

struct ServerOptions {
  std::string address = "127.0.0.1";
  std::uint16_t port = 0;  // 0: any free one, see Server::port
  std::size_t header_bytes_max = 16 * 1024;
  std::size_t body_bytes_max = 1024 * 1024;
  std::size_t connections_max = 4096;                 // on each I/O thread; beyond it: 503
  std::size_t unsent_bytes_max = 64 * 1024 * 1024;    // on each I/O thread, of all answers together
  std::chrono::milliseconds request_timeout{10'000};  // from a request's first byte to its last
  std::chrono::milliseconds idle_timeout{75'000};     // between two requests
  std::chrono::milliseconds write_timeout{30'000};    // while the client takes nothing
  std::chrono::milliseconds answer_timeout{60'000};   // bounds Call::deadline
  std::chrono::milliseconds drain_timeout{250};       // from a stop to the end of idle connections
  std::chrono::milliseconds heartbeat{15'000};        // of event streams
};

// Serves routes over HTTP/1.1 on TCP: keep-alive, pipelining, chunked requests, HEAD,
// Expect: 100-continue. Malformed and oversize requests are answered with a problem, then the
// connection ends. Answers that their clients do not take are held in memory up to
// `unsent_bytes_max` together; beyond it the connection that waits longest is cut.
//
// It runs on the executors that it is given, each run by exactly one thread. The first accepts, and
// gives each connection to the thread that has the fewest; it stays there, and so do its handlers,
// so nothing here is locked. Nothing of it survives a crash, and nothing needs to.
class Server {
 public:
  // `routes` outlives the server.
  Server(const Routes& routes, ServerOptions options,
         std::vector<boost::asio::any_io_executor> threads);
  ~Server();  // after stop() or after the threads have ended, before their contexts go

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Listens and begins to serve. Refused: cannot_listen (the port is in use or forbidden),
  // route_without_access; then nothing was opened.
  Result<> start();

  std::uint16_t port() const { return port_; }  // after start
  std::size_t connections() const;              // open now; any thread
  std::uint64_t connections_cut() const;        // for unsent_bytes_max, so far; any thread

  // Once. Accepts no more, ends streams, and drains: what runs or comes on an open connection is
  // answered with `Connection: close`. HTTP/1.1 has no other way to tell a client: one that is
  // closed while it begins to ask cannot know what came of it. After `drain_timeout` idle
  // connections are closed, at `deadline` all. Returns when no connection is left. Every request
  // whose handler began is answered, unless the deadline comes first.
  Task<> stop(Deadline deadline);

 private:
  class Listener;
  const Routes& routes_;
  ServerOptions options_;
  std::vector<boost::asio::any_io_executor> threads_;
  std::vector<std::shared_ptr<Listener>> listeners_;
  std::uint16_t port_ = 0;
};

}  // namespace freehold::http
