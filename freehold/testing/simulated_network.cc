// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/simulated_network.h"

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <optional>

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"

namespace freehold {
namespace {

namespace asio = boost::asio;
using Timer = asio::basic_waitable_timer<SteadyClock>;

constexpr std::chrono::seconds answer_max{60};  // as a server's answer_timeout

Task<> pause(std::chrono::nanoseconds length) {
  Timer timer{co_await asio::this_coro::executor};
  timer.expires_after(length);
  co_await timer.async_wait(asio::use_awaitable);
}

// What the two ends of one exchange share. The asking end may go first, with its timer.
struct Wire {
  std::optional<Result<http::Response>> outcome;
  Timer* asking = nullptr;

  void end(Result<http::Response> with) {
    if (outcome) return;
    outcome.emplace(std::move(with));
    if (asking) asking->cancel();
  }
};

// The answering end. It goes with the coroutine that answers, however that ends.
class Answering {
 public:
  Answering(std::shared_ptr<Wire> wire, std::shared_ptr<const bool> is_attached)
      : wire_(std::move(wire)), is_attached_(std::move(is_attached)) {}
  Answering(Answering&&) = default;
  Answering& operator=(Answering&&) = delete;
  ~Answering() {
    if (wire_) wire_->end(Error{errors::connection_lost, "the host went while it answered"});
  }
  void done(http::Response response) {
    if (*is_attached_) wire_->end(std::move(response));
  }

 private:
  std::shared_ptr<Wire> wire_;
  std::shared_ptr<const bool> is_attached_;
};

Task<> answer(const http::Routes* routes, std::shared_ptr<const http::Request> request,
              Answering answering) {
  http::Response response;
  co_await routes->answer(request.get(), &response, deadline_in(answer_max));
  FREEHOLD_ASSERT(!response.stream, "a simulated network carries no event streams");
  answering.done(std::move(response));
}

// Waits for the answering end, at most until the deadline.
Task<Result<http::Response>> outcome_of(std::shared_ptr<Wire> wire, Deadline deadline) {
  Timer timer{co_await asio::this_coro::executor, deadline};
  struct Leave {
    Wire& wire;
    ~Leave() { wire.asking = nullptr; }
  } leave{*wire};
  wire->asking = &timer;
  if (!wire->outcome) co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (!wire->outcome) co_return Error{errors::deadline_exceeded, "no answer in time"};
  co_return *std::move(wire->outcome);
}

std::pair<std::string, std::string> in_order(std::string_view one, std::string_view other) {
  return {std::string{std::min(one, other)}, std::string{std::max(one, other)}};
}

}  // namespace

class SimulatedNetwork::Transport final : public http::Transport {
 public:
  Transport(SimulatedNetwork& network, std::string name)
      : network_(network), name_(std::move(name)) {}

  Task<Result<http::Response>> exchange(std::string address, http::Request request,
                                        Deadline deadline) override {
    const auto shared = std::make_shared<const http::Request>(std::move(request));
    auto outcome = co_await carry(address, shared, deadline);
    if (network_.on_exchanged)
      network_.on_exchanged(
          name_, address, *shared,
          outcome ? std::to_string(outcome->status) : std::string{outcome.error().name()});
    co_return outcome;
  }

 private:
  Task<Result<http::Response>> carry(std::string address,
                                     std::shared_ptr<const http::Request> request,
                                     Deadline deadline) {
    const auto way_there = network_.draw_delay();
    const auto way_back = network_.draw_delay();
    if (network_.are_parted(name_, address) || SteadyClock::now() + way_there >= deadline) {
      co_await pause(deadline - SteadyClock::now());
      co_return Error{errors::deadline_exceeded, "nothing passes to " + address};
    }
    co_await pause(way_there);
    if (network_.draw(network_.weather.lost_before))
      co_return Error{errors::connection_lost, "before the request arrived"};
    const auto host = network_.hosts_.find(address);
    if (host == network_.hosts_.end() || network_.draw(network_.weather.refused))
      co_return Error{errors::peer_unavailable, "nobody listens at " + address};

    const auto wire = std::make_shared<Wire>();
    asio::co_spawn(host->second.executor,
                   answer(host->second.routes, request, Answering{wire, host->second.is_attached}),
                   asio::detached);
    auto outcome = co_await outcome_of(wire, deadline);
    if (!outcome) co_return outcome;
    if (network_.draw(network_.weather.lost_after))
      co_return Error{errors::connection_lost, "before the answer arrived"};
    if (network_.are_parted(name_, address) || SteadyClock::now() + way_back >= deadline) {
      co_await pause(deadline - SteadyClock::now());
      co_return Error{errors::deadline_exceeded, "no answer passes from " + address};
    }
    co_await pause(way_back);
    co_return outcome;
  }

  SimulatedNetwork& network_;
  const std::string name_;
};

void SimulatedNetwork::attach(std::string address, const http::Routes& routes,
                              asio::any_io_executor executor) {
  hosts_.insert_or_assign(std::move(address), Host{&routes, std::move(executor)});
}

void SimulatedNetwork::detach(std::string_view address) {
  const auto host = hosts_.find(address);
  if (host == hosts_.end()) return;
  *host->second.is_attached = false;
  hosts_.erase(host);
}

std::unique_ptr<http::Transport> SimulatedNetwork::transport_of(std::string name) {
  return std::make_unique<Transport>(*this, std::move(name));
}

void SimulatedNetwork::part(std::string_view one, std::string_view other) {
  parted_.insert(in_order(one, other));
}

void SimulatedNetwork::join(std::string_view one, std::string_view other) {
  parted_.erase(in_order(one, other));
}

bool SimulatedNetwork::are_parted(std::string_view one, std::string_view other) const {
  return !parted_.empty() && parted_.contains(in_order(one, other));
}

std::chrono::nanoseconds SimulatedNetwork::draw_delay() {
  const std::chrono::nanoseconds span = weather.delay_max - weather.delay_min;
  return weather.delay_min +
         std::chrono::nanoseconds{random_.below(static_cast<std::uint64_t>(span.count()) + 1)};
}

bool SimulatedNetwork::draw(std::uint32_t chance_in_a_million) {
  return random_.below(1'000'000) < chance_in_a_million;
}

}  // namespace freehold
