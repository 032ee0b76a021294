// SPDX-License-Identifier: Apache-2.0
//
// A declared neighbour service. Every call has a deadline; what may be tried again is, within it:
//
//   Result<ProductView> product =
//       co_await peer.get<"/api/products/{id}", ProductView>(GetProduct{id}, call.deadline());
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/base/trace.h"
#include "freehold/http/call.h"
#include "freehold/http/internal/peer_request.h"
#include "freehold/http/message.h"
#include "freehold/http/transport.h"

namespace freehold::http {

// The terms of one call: until when, on behalf of which trace, under which idempotency key.
struct Terms {
  Deadline deadline;
  std::optional<Trace> trace{};
  std::string idempotency_key{};

  Terms(Deadline until) : deadline(until) {}                                   // NOLINT
  Terms(const Call& call) : deadline(call.deadline()), trace(call.trace()) {}  // NOLINT
  Terms(Deadline until, std::optional<Trace> within, std::string key = {})
      : deadline(until), trace(within), idempotency_key(std::move(key)) {}
};

struct PeerOptions {
  std::function<std::string()> identity;  // this service's token for the peer; empty: sends none
  int attempts_max = 3;
  std::chrono::milliseconds backoff{20};      // before the second try; doubles, with full jitter
  double retry_ratio = 0.2;                   // retries allowed for each call, on average
  int failures_to_open = 5;                   // in a row; the breaker opens
  std::chrono::milliseconds open_for{1'000};  // then one call probes; jittered by half
};

enum class BreakerState { closed, open, half_open };

// Callable from any thread. Holds nothing that a crash could lose.
class Peer {
 public:
  // `addresses` are "host:port", of each instance of the peer, which are as good as one another: it
  // speaks to the first until that one does not answer, then to the next. `transport` outlives the
  // peer.
  Peer(std::string name, std::vector<std::string> addresses, PeerOptions options,
       Transport& transport);
  ~Peer();

  // One request, tried again where that is safe: when nothing was sent, or nothing whole, for every
  // method; when the connection broke later, for GET, HEAD and what carries an Idempotency-Key.
  // An answer of any status is a success here. Fails with peer_unavailable (nothing happened; at
  // once while the breaker is open), connection_lost and deadline_exceeded (perhaps it happened).
  Task<Result<Response>> exchange(Request request, Terms terms);

  // Typed calls: In's members fill the path, then the query (GET, DELETE) or the JSON body; the
  // answer is read tolerantly into Out (void: the body is ignored). An answer of 400 or above is
  // the peer's own Error. Fails as exchange does, and with unexpected_answer.
  template <internal::PathText Path, class Out, class In>
  Task<Result<Out>> get(const In& in, Terms terms) {
    return ask<Out>(internal::peer_request<Path>(Method::get, in), std::move(terms));
  }
  template <internal::PathText Path, class Out, class In>
  Task<Result<Out>> post(const In& in, Terms terms) {
    return ask<Out>(internal::peer_request<Path>(Method::post, in), std::move(terms));
  }
  template <internal::PathText Path, class Out, class In>
  Task<Result<Out>> put(const In& in, Terms terms) {
    return ask<Out>(internal::peer_request<Path>(Method::put, in), std::move(terms));
  }
  template <internal::PathText Path, class Out, class In>
  Task<Result<Out>> patch(const In& in, Terms terms) {
    return ask<Out>(internal::peer_request<Path>(Method::patch, in), std::move(terms));
  }
  template <internal::PathText Path, class Out, class In>
  Task<Result<Out>> del(const In& in, Terms terms) {
    return ask<Out>(internal::peer_request<Path>(Method::del, in), std::move(terms));
  }

  std::string_view name() const { return name_; }
  BreakerState breaker() const;

 private:
  class Breaker;
  template <class Out>
  Task<Result<Out>> ask(Request request, Terms terms);
  static bool may_retry(const Error& error, const Request& request);

  std::string name_;
  const std::vector<std::string> addresses_;
  std::atomic<std::size_t> current_ = 0;  // of the addresses
  PeerOptions options_;
  Transport& transport_;
  std::unique_ptr<Breaker> breaker_;
};

template <class Out>
Task<Result<Out>> Peer::ask(Request request, Terms terms) {
  FREEHOLD_CO_TRY(auto response, co_await exchange(std::move(request), std::move(terms)));
  co_return internal::read_answer<Out>(response);
}

}  // namespace freehold::http
