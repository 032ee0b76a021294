// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/faulty_storage.h"

#include "freehold/base/assert.h"
#include "freehold/database/sqlite/sqlite_connection.h"
#include "freehold/database/sqlite/storage_in_front.h"

namespace freehold {
namespace {

FaultyStorage* storage = nullptr;

class FaultyFile final : public StorageFile {
 public:
  FaultyFile(sqlite3_file* behind, std::string_view path)
      : StorageFile(behind), name_(path.substr(path.rfind('/') + 1)) {}

  int write(const void* bytes, int size, sqlite3_int64 at) override {
    if (storage->on_write)
      if (const int result = storage->on_write(name_, at + size)) return result;
    return StorageFile::write(bytes, size, at);
  }

  int sync(int flags) override {
    if (storage->on_sync)
      if (const int result = storage->on_sync(name_)) return result;
    return StorageFile::sync(flags);
  }

 private:
  const std::string name_;
};

std::unique_ptr<StorageFile> make_faulty(sqlite3_file* behind, std::string_view path, int) {
  FREEHOLD_ASSERT(storage, "there is a faulty storage");
  return std::make_unique<FaultyFile>(behind, path);
}

}  // namespace

FaultyStorage::FaultyStorage() {
  FREEHOLD_ASSERT(!storage, "one faulty storage at a time");
  configure_sqlite();
  storage_in_front(name, "", make_faulty);
  storage = this;
}

FaultyStorage::~FaultyStorage() {
  storage = nullptr;
}

}  // namespace freehold
