// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "freehold/base/result.h"

namespace freehold {

// What a program reaches for when it connects by a URL: for its confinement.
struct PostgresNeeds {
  std::optional<std::uint16_t> port;         // of TCP; none: a socket in the file system
  std::vector<std::filesystem::path> files;  // password and certificates
};

// Reads a connection URL as libpq does. Refused: malformed_configuration, with a sentence that
// quotes nothing of it, for there may be a password in it: it is no URL of libpq, it names no
// database, or several hosts (which of them decides, nobody could say), or it holds a password:
// that belongs in a file, which `passfile` names, for arguments are everybody's to read.
Result<PostgresNeeds> needs_of_postgres(const std::string& url);

}  // namespace freehold
