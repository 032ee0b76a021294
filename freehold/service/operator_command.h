// SPDX-License-Identifier: Apache-2.0
//
// The commands of a service's program that tend to its data in place of serving.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "freehold/service/service_parts.h"

namespace freehold {

// `reference` prints what the program is made of (events, errors, tables, configuration, metrics)
// as JSON, from a scratch database; it needs no configuration.
bool is_reference(const std::vector<std::string>& command);
std::filesystem::path make_scratch_directory();
int print_reference(Service::Parts& parts);

// Carries the command out on the service that runs on this data, if one does and the command is for
// it, and returns the exit code.
std::optional<int> run_on_running_service(Service::Parts& parts);

// Carries the command out on the database of a service that does not run.
int run_on_stopped_service(Service::Parts& parts);

}  // namespace freehold
