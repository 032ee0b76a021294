// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "freehold/base/clock.h"
#include "freehold/database/books.h"

namespace freehold {

// One event as a handler gets it. Its views live while the handler runs.
struct Delivery {
  std::string_view source;         // the service in whose log it lies
  EventId id;                      // its place there
  std::string_view type;           // "product.state.v1"
  std::string_view subject;        // the aggregate's id
  std::string_view partition_key;  // which events keep their order with it
  std::string_view request_id;     // of a command somebody waits for
  std::string_view in_reply_to;    // of a reply
  std::string_view trace_parent;
  Time time{};            // when it was appended
  int attempt = 1;        // grows when it is tried again
  bool deleted = false;   // of a state event: its subject has ended
  std::string_view data;  // JSON
};

}  // namespace freehold
