// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/gathering_storage.h"

#include <vector>

#include "freehold/database/sqlite/storage_in_front.h"

namespace freehold {
namespace {

// A larger commit is written in pieces: SQLite's own storage takes less than 128 KiB at a time.
constexpr std::size_t gathered_max = 96 << 10;

// A write-ahead log, and one run of bytes that is not in it yet.
class GatheringFile final : public StorageFile {
 public:
  using StorageFile::StorageFile;

  int write(const void* bytes, int size, sqlite3_int64 at) override {
    if (at != end() || gathered_.size() >= gathered_max)
      if (const int result = write_out()) return result;
    if (gathered_.empty()) at_ = at;
    const char* const first = static_cast<const char*>(bytes);
    gathered_.insert(gathered_.end(), first, first + size);
    return SQLITE_OK;
  }

  // A plain SQLITE_FULL of a read undoes one statement only, and the transaction would go on
  // without the pages that were dropped; this error undoes all of it.
  int read(void* bytes, int size, sqlite3_int64 at) override {
    return write_out() ? SQLITE_IOERR_WRITE : StorageFile::read(bytes, size, at);
  }

  int truncate(sqlite3_int64 size) override {
    const int result = write_out();
    return result ? result : StorageFile::truncate(size);
  }

  int sync(int flags) override {
    const int result = write_out();
    return result ? result : StorageFile::sync(flags);
  }

  int size(sqlite3_int64* size) override {
    const int result = write_out();
    return result ? result : StorageFile::size(size);
  }

  int control(int operation, void* argument) override {
    const int result = write_out();
    return result ? result : StorageFile::control(operation, argument);
  }

  int before_close() override { return write_out(); }

 private:
  sqlite3_int64 end() const { return at_ + static_cast<sqlite3_int64>(gathered_.size()); }

  // What cannot be written is dropped: its transaction fails, and the next one begins in its place.
  int write_out() {
    if (gathered_.empty()) return SQLITE_OK;
    const int result =
        StorageFile::write(gathered_.data(), static_cast<int>(gathered_.size()), at_);
    gathered_.clear();
    return result;
  }

  sqlite3_int64 at_ = 0;
  std::vector<char> gathered_;
};

std::unique_ptr<StorageFile> gather_log(sqlite3_file* behind, std::string_view, int flags) {
  if ((flags & SQLITE_OPEN_WAL) == 0) return nullptr;
  return std::make_unique<GatheringFile>(behind);
}

}  // namespace

std::string gathering_storage(const std::string& storage) {
  return storage_in_front("gathering", storage, gather_log);
}

}  // namespace freehold
