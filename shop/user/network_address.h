// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "freehold/http/call.h"

namespace user {

// Where a request came from: the gateway says it; without a gateway all are one.
inline std::string network_address(const freehold::http::Call& call) {
  return std::string{call.header("X-Real-IP").value_or("direct")};
}

}  // namespace user
