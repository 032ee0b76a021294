// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string_view>
#include <utility>

#include "freehold/base/result.h"

namespace freehold {

// Makes the directory, with mode 0700, where it is missing, and its name durable. Fails with
// database_unavailable: it cannot be made or written.
Result<> make_private_directory(const std::filesystem::path& directory);

inline constexpr std::string_view database_file_name = "database.sqlite";

// A service's data directory, held by this process alone while it lives: SQLite allows several
// processes on one file, but a lane is the only writer, and what follows a commit in memory is
// known to one process only.
class SqliteDirectory {
 public:
  // Makes the directory (mode 0700) and the empty database file (0600) when they are missing, and
  // takes the lock. Fails with database_unavailable and a sentence that names the directory.
  static Result<SqliteDirectory> open(const std::filesystem::path& directory);

  SqliteDirectory(SqliteDirectory&& other) noexcept : lock_(std::exchange(other.lock_, -1)) {}
  SqliteDirectory& operator=(SqliteDirectory&& other) noexcept {
    std::swap(lock_, other.lock_);
    return *this;
  }
  ~SqliteDirectory();  // the lock is free again

 private:
  explicit SqliteDirectory(int lock) : lock_(lock) {}

  int lock_;  // a descriptor of the lock file
};

}  // namespace freehold
