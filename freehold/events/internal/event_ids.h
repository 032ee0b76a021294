// SPDX-License-Identifier: Apache-2.0
//
// Lists of ids and of names as headers, queries and documents hold them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/database/books.h"

namespace freehold::internal {

std::vector<std::string> texts_of(const std::vector<EventId>& ids);
Result<std::vector<EventId>> ids_of(const std::vector<std::string>& texts);  // refused: malformed

// "a,b" ⇄ {"a", "b"}; empty parts are left out.
std::string joined(const std::vector<std::string>& parts);
std::vector<std::string> split(std::string_view text);

}  // namespace freehold::internal
