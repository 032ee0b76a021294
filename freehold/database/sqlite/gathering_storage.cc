// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/gathering_storage.h"

#include <sqlite3.h>

#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "freehold/base/assert.h"

namespace freehold {
namespace {

// A larger commit is written in pieces: SQLite's own storage takes less than 128 KiB at a time.
constexpr std::size_t gathered_max = 96 << 10;

// One run of bytes that is not in the file yet.
struct Gathered {
  sqlite3_int64 at = 0;
  std::vector<char> bytes;

  sqlite3_int64 end() const { return at + static_cast<sqlite3_int64>(bytes.size()); }
};

// A write-ahead log, and behind it the real file in the memory that SQLite gave for both.
struct File {
  const sqlite3_io_methods* methods;
  Gathered* gathered;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
};

sqlite3_file* real(sqlite3_file* file) {
  return File::of(file).real();
}

// What cannot be written is dropped: its transaction fails, and the next one begins in its place.
int write_out(sqlite3_file* file) {
  Gathered& gathered = *File::of(file).gathered;
  if (gathered.bytes.empty()) return SQLITE_OK;
  const int result = real(file)->pMethods->xWrite(
      real(file), gathered.bytes.data(), static_cast<int>(gathered.bytes.size()), gathered.at);
  gathered.bytes.clear();
  return result;
}

int write_file(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  Gathered& gathered = *File::of(file).gathered;
  if (at != gathered.end() || gathered.bytes.size() >= gathered_max)
    if (const int result = write_out(file)) return result;
  if (gathered.bytes.empty()) gathered.at = at;
  const char* const first = static_cast<const char*>(bytes);
  gathered.bytes.insert(gathered.bytes.end(), first, first + size);
  return SQLITE_OK;
}

// A plain SQLITE_FULL of a read undoes one statement only, and the transaction would go on without
// the pages that were dropped; this error undoes all of it.
int read_file(sqlite3_file* file, void* bytes, int size, sqlite3_int64 at) {
  if (write_out(file) != SQLITE_OK) return SQLITE_IOERR_WRITE;
  return real(file)->pMethods->xRead(real(file), bytes, size, at);
}

int close_file(sqlite3_file* file) {
  const int result = write_out(file);
  delete File::of(file).gathered;
  const int closed = real(file)->pMethods->xClose(real(file));
  return result ? result : closed;
}

template <auto Method, class... Arguments>
auto pass(sqlite3_file* file, Arguments... arguments) {
  return (real(file)->pMethods->*Method)(real(file), arguments...);
}

template <auto Method, class... Arguments>
int after_writing(sqlite3_file* file, Arguments... arguments) {
  if (const int result = write_out(file)) return result;
  return pass<Method>(file, arguments...);
}

using Methods = sqlite3_io_methods;
constexpr Methods methods{
    .iVersion = 1,
    .xClose = close_file,
    .xRead = read_file,
    .xWrite = write_file,
    .xTruncate = after_writing<&Methods::xTruncate, sqlite3_int64>,
    .xSync = after_writing<&Methods::xSync, int>,
    .xFileSize = after_writing<&Methods::xFileSize, sqlite3_int64*>,
    .xLock = pass<&Methods::xLock, int>,
    .xUnlock = pass<&Methods::xUnlock, int>,
    .xCheckReservedLock = pass<&Methods::xCheckReservedLock, int*>,
    .xFileControl = after_writing<&Methods::xFileControl, int, void*>,
    .xSectorSize = pass<&Methods::xSectorSize>,
    .xDeviceCharacteristics = pass<&Methods::xDeviceCharacteristics>,
    .xShmMap = nullptr,
    .xShmLock = nullptr,
    .xShmBarrier = nullptr,
    .xShmUnmap = nullptr,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

// A VFS of ours and the one behind it.
struct Storage {
  std::string name;
  sqlite3_vfs* behind;
  sqlite3_vfs vfs;
};

// Every file but the write-ahead log is the real one.
int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* given_flags) {
  sqlite3_vfs* const behind = static_cast<Storage*>(vfs->pAppData)->behind;
  if ((flags & SQLITE_OPEN_WAL) == 0) return behind->xOpen(behind, path, file, flags, given_flags);
  File& ours = *new (file) File{nullptr, nullptr};
  const int result = behind->xOpen(behind, path, ours.real(), flags, given_flags);
  if (result != SQLITE_OK) return result;
  ours.gathered = new Gathered;
  ours.methods = &methods;
  return SQLITE_OK;
}

}  // namespace

std::string gathering_storage(const std::string& storage) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Storage>> storages;
  const std::lock_guard lock{mutex};
  sqlite3_initialize();
  sqlite3_vfs* const behind = sqlite3_vfs_find(storage.empty() ? nullptr : storage.c_str());
  if (!behind) return storage;  // which SQLite refuses by its name
  std::unique_ptr<Storage>& made = storages[storage];
  if (made && made->behind == behind) return made->name;
  if (made) sqlite3_vfs_unregister(&made->vfs);
  made = std::make_unique<Storage>(
      Storage{"gathering-" + storage, behind, *behind});  // with its clock, its randomness, …
  made->vfs.zName = made->name.c_str();
  made->vfs.szOsFile += static_cast<int>(sizeof(File));
  made->vfs.pNext = nullptr;
  made->vfs.pAppData = made.get();
  made->vfs.xOpen = open_file;
  const int registered = sqlite3_vfs_register(&made->vfs, 0);
  FREEHOLD_ASSERT(registered == SQLITE_OK, "SQLite takes no storage");
  return made->name;
}

}  // namespace freehold
