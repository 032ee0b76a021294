// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>

#include "freehold/base/result.h"
#include "freehold/database/sqlite/sqlite_connection.h"

namespace freehold {

// Copies the database of `source`, as it is at one moment, into `file` (mode 0600) through SQLite's
// backup interface: never the files themselves, whose newest pages lie in the write-ahead log. The
// log is not reset meanwhile. `file` appears whole and synced, or not at all.
Result<> back_up(SqliteConnection::Options source, const std::filesystem::path& file);

}  // namespace freehold
