// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "freehold/base/random.h"

namespace freehold {

// The storage door's twin: disks in memory, for SqliteOptions::storage. It knows what was written
// and what was synced, so that a power cut can take what a real one may take: of what was not
// synced each sector of 512 bytes is kept or lost by itself, in the order in which it was written;
// what was synced is always there. A file that was never synced may be gone altogether.
//
// A machine is a directory: SqliteOptions::directory is its name. It can be cut off, which is what
// a kill does to a process: whatever is called through its open files fails with an I/O error and
// touches nothing. When it is switched on again, what was written is there; locks and the shared
// memory of the write-ahead log have gone with the process.
//
// Registered as an SQLite VFS while it lives, one at a time. For one thread.
class SimulatedStorage {
 public:
  enum class Kind { write, truncate, sync };
  struct Operation {
    std::string_view machine;
    std::string_view file;  // "database.sqlite", "database.sqlite-wal"
    Kind kind;
    std::int64_t end;  // of a write: the first byte behind it; of a truncate: the new size
  };

  SimulatedStorage();
  SimulatedStorage(const SimulatedStorage&) = delete;
  SimulatedStorage& operator=(const SimulatedStorage&) = delete;
  ~SimulatedStorage();  // after every database on it

  static constexpr const char* name = "simulated";

  // Called before each operation; anything but 0 (SQLITE_OK) is returned to SQLite in its place:
  // SQLITE_FULL is a full disk, SQLITE_IOERR a broken one. It may cut the machine off: then the
  // operation fails whatever it returns.
  std::function<int(const Operation&)> on_operation;

  // A planted fault, for tests of tests: syncs succeed and do nothing, so that a power cut takes
  // what was promised.
  void lie_about_syncs(std::string_view machine);

  // The process of that machine is dead: it opens nothing until the machine is switched on.
  void cut_off(std::string_view machine);
  // … and the machine has lost its power; `random` decides what of the unsynced is kept.
  void power_cut(std::string_view machine, Random& random);
  void switch_on(std::string_view machine);

  // Empties that machine's disk.
  void erase(std::string_view machine);

  std::uint64_t operations() const;  // that were called, of all machines

  class Disks;

 private:
  std::unique_ptr<Disks> disks_;
};

}  // namespace freehold
