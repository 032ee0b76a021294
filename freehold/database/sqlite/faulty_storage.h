// SPDX-License-Identifier: Apache-2.0
// For tests: SQLite's own storage, with a hand in every write and every sync.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace freehold {

// An SQLite VFS, to be used while it lives; SqliteOptions::storage is its name. The hooks are
// called on the thread that writes, before the file is touched; anything but 0 (SQLITE_OK) is
// returned to SQLite instead of touching it.
class FaultyStorage {
 public:
  FaultyStorage();
  FaultyStorage(const FaultyStorage&) = delete;
  FaultyStorage& operator=(const FaultyStorage&) = delete;
  ~FaultyStorage();

  static constexpr std::string_view name = "faulty";

  // `file`: the end of its name, "database.sqlite" or "database.sqlite-wal".
  std::function<int(std::string_view file, std::int64_t end)> on_write;
  std::function<int(std::string_view file)> on_sync;
};

}  // namespace freehold
