// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "freehold/base/error.h"

namespace freehold {

// An error as a reply and a saga's journal hold it:
//
//   {"service":…,"name":…,"kind":…,"sentence":…,"detail":…}
std::string error_to_json(const Error& error);

// The error of such a text; its code need not be known here. A kind that this program does not know
// was made by a newer one: it is indeterminate, for nobody can say what it means for the command.
// Throws std::runtime_error when the text is something else.
Error error_from_json(std::string_view json);

}  // namespace freehold
