// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/peer.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <mutex>

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"
#include "freehold/base/random.h"
#include "freehold/base/record.h"

namespace freehold::http {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// A random duration in [0, most].
nanoseconds up_to(nanoseconds most) {
  return nanoseconds{
      Random::current().below(static_cast<std::uint64_t>(std::max(most.count(), 0L)) + 1)};
}

bool nobody_answered(const Error& error) {
  return error.is(errors::peer_unavailable) || error.is(errors::connection_lost) ||
         error.is(errors::deadline_exceeded);
}

Task<> pause(nanoseconds length) {
  boost::asio::basic_waitable_timer<SteadyClock> timer{co_await boost::asio::this_coro::executor};
  timer.expires_after(length);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

}  // namespace

// The circuit breaker and the retry budget. Closed: calls pass. After `failures_to_open` calls in a
// row without an answer: open, nothing passes. After a jittered interval one call probes (half
// open); its outcome closes the breaker or opens it again. A probe that takes long (a long poll) or
// never reports (its caller was dropped) is followed by another one after that time.
class Peer::Breaker {
 public:
  explicit Breaker(const PeerOptions& options) : options_(options) {}

  BreakerState state() const {
    const std::scoped_lock lock{mutex_};
    return state_;
  }

  bool may_pass(Deadline deadline) {
    const std::scoped_lock lock{mutex_};
    if (state_ == BreakerState::closed) return true;
    const auto now = SteadyClock::now();
    if (now < next_probe_) return false;
    state_ = BreakerState::half_open;
    next_probe_ = std::min(deadline, now + options_.open_for);
    return true;
  }

  void answered() {
    const std::scoped_lock lock{mutex_};
    failures_ = 0;
    state_ = BreakerState::closed;
  }

  void not_answered() {
    const std::scoped_lock lock{mutex_};
    ++failures_;
    if (state_ == BreakerState::closed && failures_ < options_.failures_to_open) return;
    state_ = BreakerState::open;
    const nanoseconds interval = options_.open_for;
    next_probe_ = SteadyClock::now() + interval / 2 + up_to(interval);
  }

  // Each call earns a part of a retry, each retry costs a whole one: when a peer is down, retries
  // add little to what it has to bear.
  void earn_retry() {
    const std::scoped_lock lock{mutex_};
    retries_left_ = std::min(retries_left_ + options_.retry_ratio, retries_left_max);
  }
  bool spend_retry() {
    const std::scoped_lock lock{mutex_};
    if (retries_left_ < 1) return false;
    retries_left_ -= 1;
    return true;
  }

 private:
  static constexpr double retries_left_max = 10;

  const PeerOptions& options_;
  mutable std::mutex mutex_;
  BreakerState state_ = BreakerState::closed;
  int failures_ = 0;
  Deadline next_probe_{};
  double retries_left_ = retries_left_max;
};

Peer::Peer(std::string name, std::vector<std::string> addresses, PeerOptions options,
           Transport& transport)
    : name_(std::move(name)),
      addresses_(std::move(addresses)),
      options_(std::move(options)),
      transport_(transport),
      breaker_(std::make_unique<Breaker>(options_)) {
  FREEHOLD_ASSERT(!addresses_.empty(), "a peer has an address");
}

Peer::~Peer() = default;

BreakerState Peer::breaker() const {
  return breaker_->state();
}

bool Peer::may_retry(const Error& error, const Request& request) {
  if (error.is(errors::peer_unavailable) || error.is(errors::no_connection_to_spare))
    return true;  // nothing happened
  if (!error.is(errors::connection_lost)) return false;
  return is_safe(request.method) || request.headers.find("Idempotency-Key").has_value();
}

Task<Result<Response>> Peer::exchange(Request request, Terms terms) {
  const Trace trace = terms.trace ? terms.trace->child() : Trace::start();
  request.headers.add("traceparent", trace.text());
  if (!terms.idempotency_key.empty()) request.headers.add("Idempotency-Key", terms.idempotency_key);
  if (options_.identity) request.headers.add(service_identity_header, options_.identity());
  const auto left = std::chrono::ceil<milliseconds>(terms.deadline - SteadyClock::now());
  if (left <= milliseconds{0})
    co_return Error{errors::peer_unavailable, name_ + ": the deadline had passed before the call"};
  request.headers.add(timeout_header, std::to_string(left.count()));
  breaker_->earn_retry();
  nanoseconds backoff = options_.backoff;
  for (int attempt = 1;; ++attempt, backoff *= 2) {
    if (!breaker_->may_pass(terms.deadline))
      co_return Error{errors::peer_unavailable,
                      name_ + ": not tried, for it did not answer lately"};
    std::size_t used = current_;
    auto response = co_await transport_.exchange(addresses_[used], request, terms.deadline);
    const bool never_left = !response && response.error().is(errors::no_connection_to_spare);
    if (!never_left && (response || !nobody_answered(response.error()))) {
      breaker_->answered();
      co_return response;
    }
    if (!never_left) {
      breaker_->not_answered();
      current_.compare_exchange_strong(used, (used + 1) % addresses_.size());
    }
    const nanoseconds wait = up_to(backoff);
    if (attempt >= options_.attempts_max || !may_retry(response.error(), request) ||
        SteadyClock::now() + wait >= terms.deadline || !breaker_->spend_retry())
      co_return Error{std::string{response.error().service()}, std::string{response.error().name()},
                      response.error().kind(), std::string{response.error().sentence()},
                      name_ + ": " + std::string{response.error().detail()}};
    co_await pause(wait);
  }
}

}  // namespace freehold::http
