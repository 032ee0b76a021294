// SPDX-License-Identifier: Apache-2.0
//
// What bench_load reads (a Plan, on standard input) and what it prints (a Report), both as JSON.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bench/chance.h"
#include "freehold/schema/described.h"

namespace bench {

BOOST_DESCRIBE_ENUM(Arrivals, poisson, constant)

// What one request, or one that needs another before it, is about.
enum class Action {
  order,                // place one and wait until it is confirmed or rejected
  order_status,         // read one that this thread placed a while ago
  own_orders,           // a customer's newest
  product,              // by id
  product_page,         // 20, after a product
  search,               // two words, 20 hits
  price_update,         // read the product, change its price
  product_replacement,  // read the product, change its name, description and price
  log_in,
  new_product,  // with the next number
  empty         // GET `empty_target` of `empty_address`
};
BOOST_DESCRIBE_ENUM(Action, order, order_status, own_orders, product, product_page, search,
                    price_update, product_replacement, log_in, new_product, empty)

struct Share {
  Action action = Action::order;
  double weight = 1;
};
BOOST_DESCRIBE_STRUCT(Share, (), (action, weight))

struct Account {
  std::string email;
  std::string password;
};
BOOST_DESCRIBE_STRUCT(Account, (), (email, password))

struct Plan {
  std::string product_address;  // host:port; of several instances, separated by commas: in turns
  std::string order_address;
  std::string user_address;
  std::string empty_address;
  std::string empty_target;

  std::vector<std::string> customers;  // access tokens; clients take turns
  std::string admin;                   // an administrator's
  std::vector<Account> accounts;       // who logs in

  std::string products_file;  // ids, one a line
  std::string made_file;      // where the ids of what was made are appended: orders and products
  std::int64_t stock = 1'000'000'000;  // of new products
  double zipf = 0;                     // how uneven the products are; 0: all alike
  bool one_product = false;
  int lines_min = 1;  // of an order
  int lines_max = 1;
  std::vector<Share> mix;

  int threads = 1;
  int clients = 1;        // closed loop: each sends its next request when it has its answer
  double per_second = 0;  // open loop, if not 0: requests come at their own times
  Arrivals arrivals = Arrivals::poisson;
  int warm_up_ms = 0;  // before what is counted
  int counted_ms = 1000;
  std::int64_t requests_max = 0;  // 0: as many as the time allows
};
BOOST_DESCRIBE_STRUCT(Plan, (),
                      (product_address, order_address, user_address, empty_address, empty_target,
                       customers, admin, accounts, products_file, made_file, stock, zipf,
                       one_product, lines_min, lines_max, mix, threads, clients, per_second,
                       arrivals, warm_up_ms, counted_ms, requests_max))

struct Latency {
  double mean_ms = 0;
  double p50_ms = 0;
  double p90_ms = 0;
  double p99_ms = 0;
  double p999_ms = 0;
};
BOOST_DESCRIBE_STRUCT(Latency, (), (mean_ms, p50_ms, p90_ms, p99_ms, p999_ms))

// What became of the requests of one action. Within the counted time, that is: of a closed loop
// those answered in it, of an open loop those that were to be sent in it.
struct Tally {
  Action action = Action::order;
  std::int64_t answered = 0;   // 2xx
  std::int64_t confirmed = 0;  // of these: an order that came to this end
  std::int64_t rejected = 0;   // likewise
  std::int64_t refused = 0;    // 4xx, 503
  std::int64_t failed = 0;     // other, or no answer
  std::string last_failure;    // what was not answered with 2xx: the last one
  Latency latency;             // of those answered
};
BOOST_DESCRIBE_STRUCT(Tally, (),
                      (action, answered, confirmed, rejected, refused, failed, last_failure,
                       latency))

struct Report {
  double counted_s = 0;
  double processor_s = 0;       // of the load itself, in all of its time
  std::int64_t unanswered = 0;  // at any time: what became of them is not known
  std::int64_t placed = 0;      // at any time: orders that were accepted
  std::vector<Tally> tallies;   // one for each action of the mix
};
BOOST_DESCRIBE_STRUCT(Report, (), (counted_s, processor_s, unanswered, placed, tallies))

}  // namespace bench
