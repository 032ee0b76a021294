// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/stepping_storage.h"

#include "freehold/database/sqlite/storage_in_front.h"

namespace freehold {
namespace {

constexpr int step_bytes = 128 << 10;

class SteppingFile final : public StorageFile {
 public:
  using StorageFile::StorageFile;

  int write(const void* bytes, int size, sqlite3_int64 at) override {
    const int result = StorageFile::write(bytes, size, at);
    if (result != SQLITE_OK) return result;
    unsynced_ += size;
    if (unsynced_ < step_bytes) return SQLITE_OK;
    // Whatever it is, it must not be taken for a full disk, which may be tried again.
    return sync(SQLITE_SYNC_NORMAL) == SQLITE_OK ? SQLITE_OK : SQLITE_IOERR_FSYNC;
  }

  int sync(int flags) override {
    unsynced_ = 0;
    return StorageFile::sync(flags);
  }

 private:
  int unsynced_ = 0;  // bytes
};

std::unique_ptr<StorageFile> step_file(sqlite3_file* behind, std::string_view, int flags) {
  if ((flags & SQLITE_OPEN_MAIN_DB) == 0) return nullptr;
  return std::make_unique<SteppingFile>(behind);
}

}  // namespace

std::string stepping_storage(const std::string& storage) {
  return storage_in_front("stepping", storage, step_file);
}

}  // namespace freehold
