// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bench/chance.h"
#include "bench/http/connections.h"
#include "bench/plan.h"
#include "freehold/base/clock.h"
#include "freehold/base/random.h"
#include "freehold/base/result.h"

namespace bench {

// One action of one client, from its first request to its last answer.
struct Errand {
  Action action = Action::order;
  std::size_t client = 0;
  std::size_t number = 0;         // this action's own, over all threads
  std::size_t product = 0;        // that is to be changed …
  bool has_seen_product = false;  // … once it has been read
};

// What came of one action.
struct Outcome {
  enum class End { answered, confirmed, rejected, refused, failed, unanswered };
  End end = End::failed;
  std::string_view made;  // the id of a new order or product; lies in the answer
  std::string said;       // the answer's text, where it was no success
};

// Asks what customers and administrators ask, through the services' public APIs. Requests are put
// together in texts that keep their memory and answers are searched, not parsed: the load shares
// its cores with the shop. For one thread, that of its connections.
class Shopper {
 public:
  using Answered = freehold::Result<Answer>;

  // All of them outlive the shopper.
  Shopper(const Plan& plan, const std::vector<std::string>& products, const Weighted& popularity,
          freehold::Random& random, Connections& connections);

  // Makes the plan's addresses known to the connections. Refused: malformed, one of them is none,
  // or one that the plan's actions need is missing.
  freehold::Result<> find_services();

  // Sends the errand's first request, as number `request` of the connections'.
  void begin(Errand& errand, std::size_t request, freehold::Deadline now);

  // What the answer means, or nullopt: the errand goes on with another request of that number.
  std::optional<Outcome> go_on(Errand& errand, const Answered& answer, std::size_t request,
                               freehold::Deadline now);

 private:
  // A service's instances, which take turns.
  struct Instance {
    std::size_t address;
    std::string host;
  };
  using Service = std::vector<Instance>;
  using Pieces = std::initializer_list<std::string_view>;

  freehold::Result<> find(Service& service, std::string_view addresses);
  Service& service_of(Action action);
  void choose_instance(Action action);
  void get(Pieces target, std::string_view token = {});
  void with_body(std::string_view method, Pieces target, std::string_view token, Pieces headers);
  void begin_head(std::string_view method, Pieces target);
  void place_order(std::size_t client);
  void order_status(std::size_t client);
  void change_product(const Errand& errand, std::string_view tag);
  void make_product(std::size_t number);
  void log_in(std::size_t number);
  Outcome placed(const Errand& errand, const Answer& answer);

  std::size_t a_product();
  const std::string& token_of(std::size_t client) const;
  std::array<char, 32> a_key();

  const Plan& plan_;
  const std::vector<std::string>& products_;
  const Weighted& popularity_;
  freehold::Random& random_;
  Connections& connections_;
  Service product_;
  Service order_;
  Service user_;
  Service empty_;
  std::size_t asked_ = 0;
  const Instance* instance_ = nullptr;            // that is asked next
  std::string request_;                           // what it is asked …
  std::string body_;                              // … with this at its end
  std::vector<std::vector<std::string>> placed_;  // by customer: the latest orders, in a ring
  std::vector<std::size_t> next_placed_;
};

// The name of product `number`, of two words that others have as well: what searches look for.
std::string product_name(std::size_t number);

}  // namespace bench
