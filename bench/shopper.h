// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "bench/chance.h"
#include "bench/plan.h"
#include "freehold/base/random.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/http/transport.h"

namespace bench {

// What came of one action.
struct Outcome {
  enum class End { answered, confirmed, rejected, refused, failed, unanswered };
  End end = End::failed;
  std::string made;  // the id of a new order or product
  std::string said;  // the answer's text, where it was no success
};

// Asks what customers and administrators ask, through the services' public APIs. Texts are put
// together by hand and answers are searched, not parsed: the load shares its cores with the shop.
// For one thread, that of the transport's executor.
class Shopper {
 public:
  // All of them outlive the shopper.
  Shopper(const Plan& plan, const std::vector<std::string>& products, const Weighted& popularity,
          freehold::Random& random, freehold::http::Transport& transport);

  // `client` picks the customer; `number` is this request's own, over all threads.
  freehold::Task<Outcome> act(Action action, std::size_t client, std::size_t number);

 private:
  using Request = freehold::http::Request;
  using Answer = freehold::Result<freehold::http::Response>;

  freehold::Task<Answer> ask(std::string addresses, Request request);
  std::string next_of(std::string_view addresses);
  freehold::Task<Outcome> get(std::string address, std::string target, std::string_view token);
  freehold::Task<Outcome> place_order(std::size_t client);
  freehold::Task<Outcome> order_status(std::size_t client);
  freehold::Task<Outcome> change_product(bool whole);
  freehold::Task<Outcome> make_product(std::size_t number);
  freehold::Task<Outcome> log_in(std::size_t number);

  const std::string& a_product();
  const std::string& token_of(std::size_t client) const;
  std::string order_text();
  std::string a_key();

  const Plan& plan_;
  const std::vector<std::string>& products_;
  const Weighted& popularity_;
  freehold::Random& random_;
  freehold::http::Transport& transport_;
  std::vector<std::vector<std::string>> placed_;  // by customer: the latest orders, in a ring
  std::vector<std::size_t> next_placed_;
  std::size_t asked_ = 0;
};

// The name of product `number`, of two words that others have as well: what searches look for.
std::string product_name(std::size_t number);

}  // namespace bench
