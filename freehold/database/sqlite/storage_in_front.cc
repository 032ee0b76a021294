// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/storage_in_front.h"

#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "freehold/base/assert.h"

namespace freehold {
namespace {

// What SQLite holds of an open file: ours, and the real one behind it in the same memory.
struct File {
  const sqlite3_io_methods* methods;
  StorageFile* front;

  sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  static File& of(sqlite3_file* file) { return *reinterpret_cast<File*>(file); }
};

template <auto Method, class... Arguments>
int to_front(sqlite3_file* file, Arguments... arguments) {
  return (File::of(file).front->*Method)(arguments...);
}

template <auto Method, class... Arguments>
auto pass(sqlite3_file* file, Arguments... arguments) {
  sqlite3_file* const real = File::of(file).real();
  return (real->pMethods->*Method)(real, arguments...);
}

int close_file(sqlite3_file* file) {
  const std::unique_ptr<StorageFile> front{File::of(file).front};
  const int result = front->before_close();
  const int closed = pass<&sqlite3_io_methods::xClose>(file);
  return result ? result : closed;
}

using Methods = sqlite3_io_methods;
constexpr Methods methods{
    .iVersion = 2,
    .xClose = close_file,
    .xRead = to_front<&StorageFile::read, void*, int, sqlite3_int64>,
    .xWrite = to_front<&StorageFile::write, const void*, int, sqlite3_int64>,
    .xTruncate = to_front<&StorageFile::truncate, sqlite3_int64>,
    .xSync = to_front<&StorageFile::sync, int>,
    .xFileSize = to_front<&StorageFile::size, sqlite3_int64*>,
    .xLock = pass<&Methods::xLock, int>,
    .xUnlock = pass<&Methods::xUnlock, int>,
    .xCheckReservedLock = pass<&Methods::xCheckReservedLock, int*>,
    .xFileControl = to_front<&StorageFile::control, int, void*>,
    .xSectorSize = pass<&Methods::xSectorSize>,
    .xDeviceCharacteristics = pass<&Methods::xDeviceCharacteristics>,
    .xShmMap = pass<&Methods::xShmMap, int, int, int, void volatile**>,
    .xShmLock = pass<&Methods::xShmLock, int, int, int>,
    .xShmBarrier = pass<&Methods::xShmBarrier>,
    .xShmUnmap = pass<&Methods::xShmUnmap, int>,
    .xFetch = nullptr,
    .xUnfetch = nullptr,
};

struct Storage {
  std::string name;
  sqlite3_vfs* behind;
  PutInFront put;
  sqlite3_vfs vfs;
};

int open_file(sqlite3_vfs* vfs, const char* path, sqlite3_file* file, int flags, int* given_flags) {
  const Storage& storage = *static_cast<Storage*>(vfs->pAppData);
  File& ours = *new (file) File{nullptr, nullptr};
  const int result = storage.behind->xOpen(storage.behind, path, ours.real(), flags, given_flags);
  if (result != SQLITE_OK) return result;
  auto front = storage.put(ours.real(), path ? path : "", flags);
  if (!front) front = std::make_unique<StorageFile>(ours.real());
  ours.front = front.release();
  ours.methods = &methods;
  return SQLITE_OK;
}

const Methods& methods_of(sqlite3_file* file) {
  return *file->pMethods;
}

}  // namespace

int StorageFile::read(void* bytes, int size, sqlite3_int64 at) {
  return methods_of(behind_).xRead(behind_, bytes, size, at);
}

int StorageFile::write(const void* bytes, int size, sqlite3_int64 at) {
  return methods_of(behind_).xWrite(behind_, bytes, size, at);
}

int StorageFile::truncate(sqlite3_int64 size) {
  return methods_of(behind_).xTruncate(behind_, size);
}

int StorageFile::sync(int flags) {
  return methods_of(behind_).xSync(behind_, flags);
}

int StorageFile::size(sqlite3_int64* size) {
  return methods_of(behind_).xFileSize(behind_, size);
}

int StorageFile::control(int operation, void* argument) {
  return methods_of(behind_).xFileControl(behind_, operation, argument);
}

std::string storage_in_front(std::string_view kind, const std::string& behind, PutInFront put) {
  static std::mutex mutex;
  static std::map<std::string, std::unique_ptr<Storage>> storages;
  const std::lock_guard lock{mutex};
  sqlite3_initialize();
  sqlite3_vfs* const found = sqlite3_vfs_find(behind.empty() ? nullptr : behind.c_str());
  if (!found) return behind;  // which SQLite refuses by its name
  std::string name{kind};
  if (!behind.empty()) name += '-' + behind;
  std::unique_ptr<Storage>& made = storages[name];
  FREEHOLD_ASSERT(!made || (made->behind == found && made->put == put), "two storages of one name");
  if (made) return name;
  made = std::make_unique<Storage>(
      Storage{name, found, put, *found});  // with its clock, its randomness, …
  made->vfs.zName = made->name.c_str();
  made->vfs.szOsFile += static_cast<int>(sizeof(File));
  made->vfs.pNext = nullptr;
  made->vfs.pAppData = made.get();
  made->vfs.xOpen = open_file;
  const int registered = sqlite3_vfs_register(&made->vfs, 0);
  FREEHOLD_ASSERT(registered == SQLITE_OK, "SQLite takes no storage");
  return name;
}

}  // namespace freehold
