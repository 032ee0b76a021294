// SPDX-License-Identifier: Apache-2.0
//
// SQLite reaches its files through a VFS. One of ours stands in front of another one: it opens the
// same files, and changes what some of them do.
#pragma once

#include <sqlite3.h>

#include <memory>
#include <string>
#include <string_view>

namespace freehold {

// An open file; what is not overridden is passed on. Results are SQLite's codes.
class StorageFile {
 public:
  explicit StorageFile(sqlite3_file* behind) : behind_(behind) {}
  StorageFile(const StorageFile&) = delete;
  StorageFile& operator=(const StorageFile&) = delete;
  virtual ~StorageFile() = default;

  virtual int read(void* bytes, int size, sqlite3_int64 at);
  virtual int write(const void* bytes, int size, sqlite3_int64 at);
  virtual int truncate(sqlite3_int64 size);
  virtual int sync(int flags);
  virtual int size(sqlite3_int64* size);
  virtual int control(int operation, void* argument);
  virtual int before_close() { return SQLITE_OK; }  // it is closed whatever this returns

 private:
  sqlite3_file* behind_;
};

// What stands in front of a file just opened (flags: SQLITE_OPEN_…); nullptr: nothing does.
using PutInFront = std::unique_ptr<StorageFile> (*)(sqlite3_file* behind, std::string_view path,
                                                    int flags);

// The name of a VFS of this kind in front of the one called `behind` (empty: the default one),
// registered at the first call and kept for good, as that one must be; `behind` itself if there is
// none of that name. A kind has one `put`. Any thread.
std::string storage_in_front(std::string_view kind, const std::string& behind, PutInFront put);

}  // namespace freehold
