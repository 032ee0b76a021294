// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/faulty_storage.h"

#include <sqlite3.h>

#include <new>

#include "freehold/base/assert.h"
#include "freehold/database/sqlite/sqlite_connection.h"

namespace freehold {
namespace {

FaultyStorage* storage = nullptr;

// A file of ours, and behind it the real one in the memory that SQLite gave for both.
struct File {
  const sqlite3_io_methods* methods;
  std::string* name;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
};

sqlite3_file* real(sqlite3_file* file) {
  return File::of(file).real();
}

int close_file(sqlite3_file* file) {
  const int result = real(file)->pMethods ? real(file)->pMethods->xClose(real(file)) : SQLITE_OK;
  delete File::of(file).name;
  return result;
}

int write_file(sqlite3_file* file, const void* bytes, int size, sqlite3_int64 at) {
  if (storage->on_write)
    if (const int result = storage->on_write(*File::of(file).name, at + size)) return result;
  return real(file)->pMethods->xWrite(real(file), bytes, size, at);
}

int sync_file(sqlite3_file* file, int flags) {
  if (storage->on_sync)
    if (const int result = storage->on_sync(*File::of(file).name)) return result;
  return real(file)->pMethods->xSync(real(file), flags);
}

template <auto Method, class... Arguments>
auto pass(sqlite3_file* file, Arguments... arguments) {
  return (real(file)->pMethods->*Method)(real(file), arguments...);
}

using Methods = sqlite3_io_methods;
constexpr Methods methods{
    .iVersion = 2,
    .xClose = close_file,
    .xRead = pass<&Methods::xRead, void*, int, sqlite3_int64>,
    .xWrite = write_file,
    .xTruncate = pass<&Methods::xTruncate, sqlite3_int64>,
    .xSync = sync_file,
    .xFileSize = pass<&Methods::xFileSize, sqlite3_int64*>,
    .xLock = pass<&Methods::xLock, int>,
    .xUnlock = pass<&Methods::xUnlock, int>,
    .xCheckReservedLock = pass<&Methods::xCheckReservedLock, int*>,
    .xFileControl = pass<&Methods::xFileControl, int, void*>,
    .xSectorSize = pass<&Methods::xSectorSize>,
    .xDeviceCharacteristics = pass<&Methods::xDeviceCharacteristics>,
    .xShmMap = pass<&Methods::xShmMap, int, int, int, void volatile**>,
    .xShmLock = pass<&Methods::xShmLock, int, int, int>,
    .xShmBarrier = pass<&Methods::xShmBarrier>,
    .xShmUnmap = pass<&Methods::xShmUnmap, int>,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

sqlite3_vfs& real_storage() {
  static sqlite3_vfs* found = sqlite3_vfs_find(nullptr);
  return *found;
}

int open_file(sqlite3_vfs*, const char* path, sqlite3_file* file, int flags, int* given_flags) {
  std::string_view name = path ? path : "";
  name.remove_prefix(name.rfind('/') + 1);
  File& ours = *new (file) File{nullptr, nullptr};
  const int result = real_storage().xOpen(&real_storage(), path, ours.real(), flags, given_flags);
  if (result != SQLITE_OK) return result;
  ours.methods = &methods;
  ours.name = new std::string{name};
  return SQLITE_OK;
}

sqlite3_vfs& vfs() {
  static sqlite3_vfs made = [] {
    sqlite3_vfs copy = real_storage();
    copy.zName = FaultyStorage::name.data();
    copy.szOsFile += static_cast<int>(sizeof(File));
    copy.pNext = nullptr;
    copy.xOpen = open_file;
    return copy;
  }();
  return made;
}

}  // namespace

FaultyStorage::FaultyStorage() {
  FREEHOLD_ASSERT(!storage, "one faulty storage at a time");
  configure_sqlite();
  sqlite3_initialize();
  storage = this;
  sqlite3_vfs_register(&vfs(), 0);
}

FaultyStorage::~FaultyStorage() {
  sqlite3_vfs_unregister(&vfs());
  storage = nullptr;
}

}  // namespace freehold
