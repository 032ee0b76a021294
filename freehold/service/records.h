// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace freehold {

// Sends this process's records (base/record.h) to standard output through spdlog, one JSON object a
// line: {"time","severity","service","event",…fields}. `least`: debug, info, warning or error.
void send_records(std::string service, std::string_view least);

}  // namespace freehold
