// SPDX-License-Identifier: Apache-2.0
//
// The commands of a service's program that tend to its data in place of serving.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/service/service_parts.h"

namespace freehold {

// `reference` prints what the program is made of (events, errors, tables, configuration, metrics)
// as JSON, from a scratch database; it needs no configuration.
bool is_reference(const std::vector<std::string>& command);
std::filesystem::path make_scratch_directory();
int print_reference(Service::Parts& parts);

// `check` works on a copy of the database, in a directory of this name in the service's own, so
// that it changes nothing and may run beside the service.
inline constexpr std::string_view checked_copy = "check";
bool is_check(const std::vector<std::string>& command);
// Makes that copy in `parts.scratch`: the running service does, or else this process.
Result<> copy_to_scratch(Service::Parts& parts);

// Where a backup of that name is made: in the service's own directory, for all else is out of its
// reach. Refused: malformed, for a place outside it and for a file that exists.
Result<std::filesystem::path> backup_file(const std::filesystem::path& data, std::string_view name);

// Carries the command out on the service that runs on this data, if one does and the command is for
// it, and returns the exit code.
std::optional<int> run_on_running_service(Service::Parts& parts);

// Carries the command out on the database of a service that does not run.
int run_on_stopped_service(Service::Parts& parts);

}  // namespace freehold
