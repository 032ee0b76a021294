// SPDX-License-Identifier: Apache-2.0
//
// The little of RFC 3986 that paths and queries need.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/base/result.h"

namespace freehold::http {

// "caf%C3%A9" → "café". Refused: malformed (a '%' without two hex digits, or a zero byte).
Result<std::string> percent_decoded(std::string_view text);

// Everything but unreserved characters becomes %XX: fit for a segment and for a query's value.
void write_percent_encoded(std::string& out, std::string_view text);

// "a=1&b=x+y" → {{"a", "1"}, {"b", "x y"}}, decoded. Refused: malformed.
Result<std::vector<std::pair<std::string, std::string>>> query_fields(std::string_view query);

}  // namespace freehold::http
