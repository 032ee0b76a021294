// SPDX-License-Identifier: Apache-2.0
//
// The network door: how a request reaches another service. The real one keeps connections alive
// and is made here; a simulated network implements the same interface.
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstddef>
#include <memory>
#include <string>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/http/message.h"

namespace freehold::http {

class Transport {
 public:
  virtual ~Transport() = default;

  // Sends the request to "host:port" and returns the answer, whatever its status. Fails with
  //   peer_unavailable        the request never reached the peer whole: nothing happened
  //   no_connection_to_spare  nor did it, for a shortage on this side: it tells nothing of the peer
  //   connection_lost         it was sent and no whole answer came: perhaps it happened
  //   deadline_exceeded       no answer before the deadline: perhaps it happened
  virtual Task<Result<Response>> exchange(std::string address, Request request,
                                          Deadline deadline) = 0;
};

struct NetworkOptions {
  std::size_t connections_max = 128;  // to one address; beyond it a request queues
  std::size_t answer_bytes_max = 16 * 1024 * 1024;
  std::chrono::milliseconds idle_max{30'000};  // a pooled connection older than this is not used
};

// TCP with keep-alive pools. Sockets live on `executor`; exchange may be awaited on any one.
std::unique_ptr<Transport> network_transport(boost::asio::any_io_executor executor,
                                             NetworkOptions options = {});

}  // namespace freehold::http
