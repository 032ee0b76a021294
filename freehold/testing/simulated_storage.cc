// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/simulated_storage.h"

#include <sqlite3.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <set>
#include <span>
#include <vector>

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/database/sqlite/sqlite_connection.h"

namespace freehold {
namespace {

constexpr std::int64_t sector_bytes = 512;

struct OpenFile;

// What the processes of one machine share in memory about one file.
struct Locks {
  std::set<OpenFile*> files;
};
struct SharedMemory {
  std::vector<std::unique_ptr<std::uint8_t[]>> regions;
  std::set<OpenFile*> files;
};

// Of a write: its bytes and their place. Of a truncate: the new size.
struct Change {
  bool is_truncate;
  std::int64_t at;
  std::string bytes;
};

struct DiskFile {
  std::string name;
  std::string written;  // what a process reads
  std::string synced;   // what is on the disk in any case
  std::vector<Change> unsynced;
  bool has_synced_name = false;
  std::shared_ptr<Locks> locks = std::make_shared<Locks>();
  std::shared_ptr<SharedMemory> memory = std::make_shared<SharedMemory>();
};

struct Machine {
  std::string name;
  std::uint64_t life = 1;
  bool is_on = true;
  bool lies = false;
  std::map<std::string, std::shared_ptr<DiskFile>, std::less<>> files;
};

struct OpenFile {
  Machine* machine;
  std::uint64_t life;
  std::shared_ptr<DiskFile> file;
  std::shared_ptr<Locks> locks;
  std::shared_ptr<SharedMemory> memory;
  int lock = SQLITE_LOCK_NONE;
  unsigned shared_slots = 0;  // of the shared memory's locks
  unsigned exclusive_slots = 0;

  bool is_alive() const { return machine->is_on && machine->life == life; }
};

// In the memory that SQLite gives for a file.
struct Handle {
  const sqlite3_io_methods* methods;
  OpenFile* open;
};

OpenFile& opened(sqlite3_file* file) {
  return *reinterpret_cast<Handle*>(file)->open;
}

void resize(std::string& content, std::int64_t size) {
  content.resize(static_cast<std::size_t>(size));
}

void put(std::string& content, std::int64_t at, std::string_view bytes) {
  const auto end = static_cast<std::size_t>(at) + bytes.size();
  if (content.size() < end) content.resize(end);
  bytes.copy(content.data() + at, bytes.size());
}

void put_change(std::string& content, const Change& change) {
  if (change.is_truncate)
    resize(content, change.at);
  else
    put(content, change.at, change.bytes);
}

// One change as a power cut leaves it: a truncate happened or not, a write sector by sector.
void put_in_part(std::string& content, const Change& change, Random& random,
                 std::uint64_t kept_percent) {
  const auto is_kept = [&] { return random.below(100) < kept_percent; };
  if (change.is_truncate) {
    if (is_kept()) resize(content, change.at);
    return;
  }
  std::string_view rest = change.bytes;
  std::int64_t at = change.at;
  while (!rest.empty()) {
    const auto size = static_cast<std::size_t>(sector_bytes - at % sector_bytes);
    const std::string_view sector = rest.substr(0, size);
    if (is_kept()) put(content, at, sector);
    at += static_cast<std::int64_t>(sector.size());
    rest.remove_prefix(sector.size());
  }
}

}  // namespace

class SimulatedStorage::Disks {
 public:
  explicit Disks(SimulatedStorage& owner) : storage(owner) {}

  Machine& machine(std::string_view machine_name) {
    const auto found = machines.find(machine_name);
    if (found != machines.end()) return found->second;
    Machine& made = machines[std::string{machine_name}];
    made.name = machine_name;
    return made;
  }

  // What SQLite is told in place of the operation; 0: it happens.
  int before(const OpenFile& open, Kind kind, std::int64_t end) {
    if (!open.is_alive()) return SQLITE_IOERR;
    ++operations;
    const int result = storage.on_operation
                           ? storage.on_operation({open.machine->name, open.file->name, kind, end})
                           : SQLITE_OK;
    return open.is_alive() ? result : SQLITE_IOERR;
  }

  SimulatedStorage& storage;
  std::map<std::string, Machine, std::less<>> machines;
  std::uint64_t operations = 0;
};

namespace {

SimulatedStorage::Disks* disks = nullptr;

struct Path {
  std::string_view machine;
  std::string_view file;
};

Path split(const char* path) {
  const std::string_view text = path;
  const std::size_t slash = text.rfind('/');
  FREEHOLD_ASSERT(slash != std::string_view::npos,
                  "a simulated file lies in a machine's directory");
  return {text.substr(0, slash), text.substr(slash + 1)};
}

// --- A file -------------------------------------------------------------------------------------

int close_file(sqlite3_file* file) {
  OpenFile* open = &opened(file);
  open->locks->files.erase(open);
  open->memory->files.erase(open);
  delete open;
  return SQLITE_OK;
}

int read_file(sqlite3_file* file, void* to, int size, sqlite3_int64 at) {
  const OpenFile& open = opened(file);
  if (!open.is_alive()) return SQLITE_IOERR;
  const std::string_view content = open.file->written;
  const auto start = std::min(static_cast<std::size_t>(at), content.size());
  const std::string_view found = content.substr(start, static_cast<std::size_t>(size));
  found.copy(static_cast<char*>(to), found.size());
  const std::size_t missing = static_cast<std::size_t>(size) - found.size();
  std::memset(static_cast<char*>(to) + found.size(), 0, missing);
  return missing == 0 ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

int change_file(sqlite3_file* file, SimulatedStorage::Kind kind, std::int64_t end, Change change) {
  OpenFile& open = opened(file);
  if (const int result = disks->before(open, kind, end)) return result;
  put_change(open.file->written, change);
  open.file->unsynced.push_back(std::move(change));
  return SQLITE_OK;
}

int write_file(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  return change_file(
      file, SimulatedStorage::Kind::write, at + size,
      {false, at, std::string{static_cast<const char*>(bytes), static_cast<std::size_t>(size)}});
}

int truncate_file(sqlite3_file* file, sqlite3_int64 size) {
  return change_file(file, SimulatedStorage::Kind::truncate, size, {true, size, {}});
}

int sync_file(sqlite3_file* file, int /*flags*/) {
  OpenFile& open = opened(file);
  const auto end = static_cast<std::int64_t>(open.file->written.size());
  if (const int result = disks->before(open, SimulatedStorage::Kind::sync, end)) return result;
  if (open.machine->lies) return SQLITE_OK;
  for (const Change& change : open.file->unsynced) put_change(open.file->synced, change);
  open.file->unsynced.clear();
  open.file->has_synced_name = true;
  return SQLITE_OK;
}

int size_of_file(sqlite3_file* file, sqlite3_int64* size) {
  if (!opened(file).is_alive()) return SQLITE_IOERR;
  *size = static_cast<sqlite3_int64>(opened(file).file->written.size());
  return SQLITE_OK;
}

// Nobody but this handle holds that much.
bool others_hold_at_least(const OpenFile& open, int lock) {
  return std::ranges::any_of(open.locks->files, [&](const OpenFile* other) {
    return other != &open && other->lock >= lock;
  });
}

int lock_file(sqlite3_file* file, int lock) {
  OpenFile& open = opened(file);
  if (!open.is_alive()) return SQLITE_IOERR;
  if (open.lock >= lock) return SQLITE_OK;
  const int in_the_way = lock == SQLITE_LOCK_SHARED     ? SQLITE_LOCK_PENDING
                         : lock == SQLITE_LOCK_RESERVED ? SQLITE_LOCK_RESERVED
                                                        : SQLITE_LOCK_SHARED;
  if (others_hold_at_least(open, in_the_way)) return SQLITE_BUSY;
  open.lock = lock;
  return SQLITE_OK;
}

int unlock_file(sqlite3_file* file, int lock) {
  opened(file).lock = std::min(opened(file).lock, lock);
  return SQLITE_OK;
}

int check_reserved_lock(sqlite3_file* file, int* is_reserved) {
  const OpenFile& open = opened(file);
  if (!open.is_alive()) return SQLITE_IOERR;
  *is_reserved =
      open.lock >= SQLITE_LOCK_RESERVED || others_hold_at_least(open, SQLITE_LOCK_RESERVED);
  return SQLITE_OK;
}

int control_file(sqlite3_file*, int, void*) {
  return SQLITE_NOTFOUND;
}

int sector_size(sqlite3_file*) {
  return 4096;  // as SQLite's own storage says
}

int device_characteristics(sqlite3_file*) {
  return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

// --- The shared memory of the write-ahead log ---------------------------------------------------

int map_memory(sqlite3_file* file, int region, int size, int extend, void volatile** mapped) {
  OpenFile& open = opened(file);
  *mapped = nullptr;
  if (!open.is_alive()) return SQLITE_IOERR;
  open.memory->files.insert(&open);
  auto& regions = open.memory->regions;
  const auto index = static_cast<std::size_t>(region);
  if (index >= regions.size() && extend == 0) return SQLITE_OK;
  while (index >= regions.size())
    regions.push_back(std::make_unique<std::uint8_t[]>(static_cast<std::size_t>(size)));
  *mapped = regions[index].get();
  return SQLITE_OK;
}

int lock_memory(sqlite3_file* file, int first, int count, int flags) {
  OpenFile& open = opened(file);
  const unsigned slots = ((1U << static_cast<unsigned>(count)) - 1U)
                         << static_cast<unsigned>(first);
  if (flags & SQLITE_SHM_UNLOCK) {
    open.shared_slots &= ~slots;
    open.exclusive_slots &= ~slots;
    return SQLITE_OK;
  }
  if (!open.is_alive()) return SQLITE_IOERR;
  const bool is_exclusive = (flags & SQLITE_SHM_EXCLUSIVE) != 0;
  for (const OpenFile* other : open.memory->files) {
    if (other == &open) continue;
    const unsigned held = other->exclusive_slots | (is_exclusive ? other->shared_slots : 0U);
    if (held & slots) return SQLITE_BUSY;
  }
  (is_exclusive ? open.exclusive_slots : open.shared_slots) |= slots;
  return SQLITE_OK;
}

void memory_barrier(sqlite3_file*) {}

int unmap_memory(sqlite3_file* file, int is_deleted) {
  OpenFile& open = opened(file);
  open.memory->files.erase(&open);
  open.shared_slots = open.exclusive_slots = 0;
  if (is_deleted && open.memory->files.empty()) open.memory->regions.clear();
  return SQLITE_OK;
}

constexpr sqlite3_io_methods methods{
    .iVersion = 2,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = truncate_file,
    .xSync = sync_file,
    .xFileSize = size_of_file,
    .xLock = lock_file,
    .xUnlock = unlock_file,
    .xCheckReservedLock = check_reserved_lock,
    .xFileControl = control_file,
    .xSectorSize = sector_size,
    .xDeviceCharacteristics = device_characteristics,
    .xShmMap = map_memory,
    .xShmLock = lock_memory,
    .xShmBarrier = memory_barrier,
    .xShmUnmap = unmap_memory,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

// --- The directory ------------------------------------------------------------------------------

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* given_flags) {
  Handle& handle = *new (file) Handle{nullptr, nullptr};
  if (!path) return SQLITE_CANTOPEN;  // nothing that is temporary is kept in files
  const Path place = split(path);
  Machine& machine = disks->machine(place.machine);
  if (!machine.is_on) return SQLITE_CANTOPEN;
  const auto found = machine.files.find(place.file);
  if (found == machine.files.end() && !(flags & SQLITE_OPEN_CREATE)) return SQLITE_CANTOPEN;
  std::shared_ptr<DiskFile>& disk_file =
      found != machine.files.end() ? found->second : machine.files[std::string{place.file}];
  if (!disk_file) disk_file = std::make_shared<DiskFile>(DiskFile{.name = std::string{place.file}});
  handle.methods = &methods;
  handle.open =
      new OpenFile{&machine, machine.life, disk_file, disk_file->locks, disk_file->memory};
  disk_file->locks->files.insert(handle.open);
  if (given_flags) *given_flags = flags;
  return SQLITE_OK;
}

// A name that is gone stays gone, also after a power cut: SQLite deletes only what it could do
// without.
int delete_file(sqlite3_vfs*, const char* path, int /*sync_directory*/) {
  const Path place = split(path);
  Machine& machine = disks->machine(place.machine);
  const auto found = machine.files.find(place.file);
  if (!machine.is_on) return SQLITE_IOERR;
  if (found == machine.files.end()) return SQLITE_IOERR_DELETE_NOENT;
  machine.files.erase(found);
  return SQLITE_OK;
}

int access_file(sqlite3_vfs*, const char* path, int /*flags*/, int* is_there) {
  const Path place = split(path);
  *is_there = disks->machine(place.machine).files.contains(place.file) ? 1 : 0;
  return SQLITE_OK;
}

int full_path(sqlite3_vfs*, const char* path, int size, char* to) {
  return std::snprintf(to, static_cast<std::size_t>(size), "%s", path) < size ? SQLITE_OK
                                                                              : SQLITE_CANTOPEN;
}

int draw_bytes(sqlite3_vfs*, int size, char* to) {
  Random::current().fill({reinterpret_cast<std::uint8_t*>(to), static_cast<std::size_t>(size)});
  return size;
}

// Nobody else runs meanwhile: what is waited for would not come.
int sleep(sqlite3_vfs*, int microseconds) {
  return microseconds;
}

// Milliseconds since noon in Greenwich on 24 November 4714 B.C.
int current_time_ms(sqlite3_vfs*, sqlite3_int64* time) {
  constexpr sqlite3_int64 of_1970 = 210'866'760'000'000;
  *time = of_1970 +
          std::chrono::duration_cast<std::chrono::milliseconds>(now().time_since_epoch()).count();
  return SQLITE_OK;
}

int current_time_days(sqlite3_vfs* vfs, double* time) {
  sqlite3_int64 milliseconds = 0;
  current_time_ms(vfs, &milliseconds);
  *time = static_cast<double>(milliseconds) / 86'400'000.0;
  return SQLITE_OK;
}

int last_error(sqlite3_vfs*, int, char*) {
  return 0;
}

sqlite3_vfs vfs{
    .iVersion = 2,
    .szOsFile = sizeof(Handle),
    .mxPathname = 512,
    .pNext = nullptr,
    .zName = SimulatedStorage::name,
    .pAppData = nullptr,
    .xOpen = open_file,
    .xDelete = delete_file,
    .xAccess = access_file,
    .xFullPathname = full_path,
    .xDlOpen = nullptr,
    .xDlError = nullptr,
    .xDlSym = nullptr,
    .xDlClose = nullptr,
    .xRandomness = draw_bytes,
    .xSleep = sleep,
    .xCurrentTime = current_time_days,
    .xGetLastError = last_error,
    .xCurrentTimeInt64 = current_time_ms,
    .xSetSystemCall = nullptr,
    .xGetSystemCall = nullptr,
    .xNextSystemCall = nullptr,
};

}  // namespace

SimulatedStorage::SimulatedStorage() : disks_(std::make_unique<Disks>(*this)) {
  FREEHOLD_ASSERT(!disks, "one simulated storage at a time");
  configure_sqlite();
  sqlite3_initialize();
  disks = disks_.get();
  sqlite3_vfs_register(&vfs, 0);
}

SimulatedStorage::~SimulatedStorage() {
  sqlite3_vfs_unregister(&vfs);
  disks = nullptr;
}

void SimulatedStorage::lie_about_syncs(std::string_view machine) {
  disks_->machine(machine).lies = true;
}

void SimulatedStorage::cut_off(std::string_view machine_name) {
  Machine& machine = disks_->machine(machine_name);
  ++machine.life;
  machine.is_on = false;
  for (const auto& [file_name, file] : machine.files) {
    file->locks = std::make_shared<Locks>();
    file->memory = std::make_shared<SharedMemory>();
  }
}

// Each cut has a temper of its own: some lose everything, some nothing.
void SimulatedStorage::power_cut(std::string_view machine_name, Random& random) {
  cut_off(machine_name);
  Machine& machine = disks_->machine(machine_name);
  const std::uint64_t kept_percent = random.below(5) * 25;
  std::erase_if(machine.files, [&](const auto& entry) {
    return !entry.second->has_synced_name && random.below(100) >= kept_percent;
  });
  for (const auto& [file_name, file] : machine.files) {
    for (const Change& change : file->unsynced)
      put_in_part(file->synced, change, random, kept_percent);
    file->unsynced.clear();
    file->written = file->synced;
  }
}

void SimulatedStorage::switch_on(std::string_view machine) {
  disks_->machine(machine).is_on = true;
}

void SimulatedStorage::erase(std::string_view machine) {
  disks_->machine(machine).files.clear();
}

std::uint64_t SimulatedStorage::operations() const {
  return disks_->operations;
}

}  // namespace freehold
