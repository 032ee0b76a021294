// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "freehold/base/random.h"
#include "freehold/http/routes.h"
#include "freehold/http/transport.h"

namespace freehold {

// What the network does to messages; chances are in a million.
struct Weather {
  std::chrono::microseconds delay_min{50};
  std::chrono::microseconds delay_max{3'000};  // of each direction
  std::uint32_t refused = 0;                   // requests that do not reach their peer
  std::uint32_t lost_before = 0;               // connections that break before the request arrives
  std::uint32_t lost_after = 0;                // … and before the answer does: the effect is there
};

// The network door's twin: carries requests to the routes of simulated hosts and their answers
// back, with delays and losses drawn from a seed, on the simulated clock. It never doubles a
// request, as HTTP does not. Answers that are event streams it does not carry.
//
// For one thread. A host is what is attached under an address; each transport belongs to a name, so
// that two of them can be parted from one another.
class SimulatedNetwork {
 public:
  explicit SimulatedNetwork(std::uint64_t seed) : random_(seed) {}
  SimulatedNetwork(const SimulatedNetwork&) = delete;
  SimulatedNetwork& operator=(const SimulatedNetwork&) = delete;

  Weather weather;

  // Requests to `address` are answered by `routes` on `executor` until it is detached. Nothing that
  // it still answers gets out then: the asking end hears connection_lost when the coroutine that
  // answers ends or is destroyed.
  void attach(std::string address, const http::Routes& routes,
              boost::asio::any_io_executor executor);
  void detach(std::string_view address);

  // The way out of the host of that name. The network outlives it.
  std::unique_ptr<http::Transport> transport_of(std::string name);

  // Nothing passes between the two, in either direction, until they are joined: requests wait for
  // their deadline.
  void part(std::string_view one, std::string_view other);
  void join(std::string_view one, std::string_view other);

  // Told of every end of an exchange: who asked whom for what, and the status or the error's name.
  std::function<void(std::string_view from, std::string_view to, const http::Request& request,
                     std::string_view outcome)>
      on_exchanged;

 private:
  class Transport;
  struct Host {
    const http::Routes* routes;
    boost::asio::any_io_executor executor;
    std::shared_ptr<bool> is_attached = std::make_shared<bool>(true);
  };

  std::chrono::nanoseconds draw_delay();
  bool draw(std::uint32_t chance_in_a_million);
  bool are_parted(std::string_view one, std::string_view other) const;

  SeededRandom random_;
  std::map<std::string, Host, std::less<>> hosts_;                     // by address
  std::set<std::pair<std::string, std::string>, std::less<>> parted_;  // names in order
};

}  // namespace freehold
