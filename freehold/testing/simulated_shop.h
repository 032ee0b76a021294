// SPDX-License-Identifier: Apache-2.0
//
// For the simulation's own test: two services and their customers. "shop" takes orders under
// idempotency keys and brings each to its end by a saga; "stock" holds, sells and takes back what
// is ordered. And the auditor, who knows what must hold whatever died meanwhile.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "freehold/base/task.h"
#include "freehold/testing/simulation.h"

namespace freehold {

// A mistake that the auditor must find.
enum class Planted {
  none,
  lying_disk,          // of the shop: what was synced is not there after a power cut
  effect_outside,      // stock counts what it takes outside of its transaction
  answer_before_disk,  // the shop answers a customer before its commit
};

SimulatedProgram shop_program(Planted planted);
// `taken_outside`: where the planted mistake counts, by order.
SimulatedProgram stock_program(Planted planted, std::map<std::string, int>& taken_outside);

inline constexpr int stock_at_first = 400;

// Several customers at once; each orders again and again, repeating every request until it is
// answered, under the same key.
class Customers {
 public:
  Customers(Simulation& simulation, int orders);

  void start(int customers);
  bool are_content() const { return answered_.size() == static_cast<std::size_t>(orders_); }
  const std::map<std::string, std::string>& answered() const { return answered_; }  // key → order
  const std::vector<std::string>& complaints() const { return complaints_; }
  std::uint64_t repeats() const { return repeats_; }

 private:
  Task<> order(int first, int step);
  Task<std::string> order_until_answered(std::string key, int units);
  Task<> rest();

  Simulation& simulation_;
  const int orders_;
  std::map<std::string, std::string> answered_;
  std::vector<std::string> complaints_;
  std::uint64_t repeats_ = 0;
};

// Whether nothing moves any more: every order is at its end, and stock knows it.
bool is_settled(Simulation& simulation);

// What should not be, a sentence for each; of a settled simulation, or of one that never settles.
std::vector<std::string> audit(Simulation& simulation, const Customers& customers);

}  // namespace freehold
