// SPDX-License-Identifier: Apache-2.0
//
// Events that could not be applied, for the operator: what a service's subcommands `parked` and
// `parked redrive` do. A running ConsumerLoop is told through its own redrive().
#pragma once

#include <string_view>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/database/transaction.h"

namespace freehold {

// Events set aside, of all consumers, in the order of consumer, key and log; parked ones wait for a
// person, those behind one queue.
std::vector<AsideEvent> list_set_aside(Transaction& transaction, std::size_t events_max = 1'000);

// Lets the first event of this key be tried again at once, with a fresh count of attempts; those
// behind it follow in order. Refused: not_found.
Result<> redrive(Transaction& transaction, std::string_view consumer, std::string_view key);

}  // namespace freehold
