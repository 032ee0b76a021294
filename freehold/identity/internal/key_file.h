// SPDX-License-Identifier: Apache-2.0
//
// Small files that hold keys: written atomically, read only when nobody else can have written them.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "freehold/base/result.h"

namespace freehold::identity::internal {

// What tells one state of a file from another without reading it.
struct FileMark {
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  std::int64_t size = 0;
  std::int64_t changed_ns = 0;  // ctime, which no program can set back

  friend bool operator==(const FileMark&, const FileMark&) = default;
};

struct KeyFile {
  std::string text;
  FileMark mark;
};

// Creates the directory with this mode if it is missing (and those above it), and refuses one that
// others could put files into: keys_unusable, when group or others may write to it.
Result<> prepare_directory(const std::filesystem::path& directory, mode_t mode);
Result<> check_directory(const std::filesystem::path& directory);

// The lock of a directory, for those who make key files in it: held until this ends, or the
// process.
class DirectoryLock {
 public:
  // Waits for who has it. Refused: keys_unusable.
  static Result<DirectoryLock> take(const std::filesystem::path& directory);
  DirectoryLock(DirectoryLock&& other) noexcept : file_(std::exchange(other.file_, -1)) {}
  DirectoryLock& operator=(DirectoryLock&&) = delete;
  ~DirectoryLock();

 private:
  explicit DirectoryLock(int file) : file_(file) {}
  int file_;
};

// Reads a regular file of at most 16 KiB. Refused: not_found; keys_unusable (a link or a device,
// too large, unreadable, or its mode has a bit of `forbidden`, e.g. 077 for a private key).
Result<KeyFile> read_key_file(const std::filesystem::path& path, mode_t forbidden);

// The mark of the file as it is now. Refused: not_found, keys_unusable.
Result<FileMark> mark_of_key_file(const std::filesystem::path& path);

// Writes the file in one step: whole and synced under a temporary name beside it, then renamed,
// then the directory synced. A crash leaves the former file or the new one; a temporary file that
// stays behind is replaced by the next write. One writer for a path at a time. Refused:
// keys_unusable.
Result<> write_key_file(const std::filesystem::path& path, std::string_view text, mode_t mode);

}  // namespace freehold::identity::internal
