// SPDX-License-Identifier: Apache-2.0
//
// The wall between services, held by the kernel: after confine() this process, all its threads and
// children can touch only what the plan names, for ever. Files and TCP ports by Landlock
// (https://docs.kernel.org/userspace-api/landlock.html).
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "freehold/base/result.h"

namespace freehold {

struct ConfinementPlan {
  std::vector<std::filesystem::path> writable;  // directories, with all below them
  std::vector<std::filesystem::path> readable;  // directories or files; missing ones are skipped
  std::vector<std::uint16_t> listens_on;
  std::vector<std::uint16_t> connects_to;
};

struct Confinement {
  int abi = 0;                        // Landlock's version in this kernel; 0: there is none
  std::vector<std::string> not_held;  // what this kernel cannot hold, by name
};

// Confines the calling process. To be called before its first thread starts: threads that run
// already stay free. What the kernel is too old for is named in `not_held` (below ABI 3 a seccomp
// filter refuses truncate(2), which Landlock would let through). Refused: cannot_confine, when the
// kernel has Landlock but does not take the plan; nothing may be served then.
Result<Confinement> confine(const ConfinementPlan& plan);

// What every program here reads of the system: libraries, certificates, time zones, its own /proc.
std::vector<std::filesystem::path> system_files();

}  // namespace freehold
