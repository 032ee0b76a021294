// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/internal/key_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <system_error>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/descriptor.h"
#include "freehold/base/errors.h"

namespace freehold::identity::internal {
namespace {

constexpr std::size_t key_file_size_max = 16 * 1024;

Error unusable(const std::filesystem::path& path, std::string_view why) {
  return {errors::keys_unusable, path.string() + ": " + std::string{why}};
}

// What the last system call said of `path`.
Error system_said(const std::filesystem::path& path) {
  const int code = errno;
  return unusable(path, std::generic_category().message(code));
}

std::string octal(mode_t mode) {
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%04o", static_cast<unsigned>(mode & 07777U));
  return text.data();
}

FileMark mark_of(const struct stat& status) {
  return {status.st_dev, status.st_ino, status.st_size,
          status.st_ctim.tv_sec * 1'000'000'000 + status.st_ctim.tv_nsec};
}

Result<> write_all(int file, std::string_view text, const std::filesystem::path& path) {
  while (!text.empty()) {
    const ssize_t written = ::write(file, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return system_said(path);
    text.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> write_synced(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  const Descriptor file{
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode)};
  if (!file.is_open()) return system_said(path);
  if (::fchmod(file.number(), mode) != 0) return system_said(path);  // whatever the umask took away
  FREEHOLD_TRY(write_all(file.number(), text, path));
  if (::fsync(file.number()) != 0) return system_said(path);
  return {};
}

Result<> sync_directory(const std::filesystem::path& directory) {
  const Descriptor opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!opened.is_open() || ::fsync(opened.number()) != 0) return system_said(directory);
  return {};
}

}  // namespace

Result<> check_directory(const std::filesystem::path& directory) {
  struct stat status{};
  if (::stat(directory.c_str(), &status) != 0) return system_said(directory);
  if (!S_ISDIR(status.st_mode)) return unusable(directory, "not a directory");
  if ((status.st_mode & 022U) != 0)
    return unusable(directory, "others may write to it (mode " + octal(status.st_mode) +
                                   "): remove that with chmod go-w");
  return {};
}

Result<> prepare_directory(const std::filesystem::path& directory, mode_t mode) {
  std::error_code ignored;  // what is missing then, mkdir says
  std::filesystem::create_directories(directory.parent_path(), ignored);
  if (::mkdir(directory.c_str(), mode) != 0) {
    if (errno != EEXIST) return system_said(directory);
  } else if (::chmod(directory.c_str(), mode) != 0) {  // whatever the umask took away
    return system_said(directory);
  }
  return check_directory(directory);
}

Result<DirectoryLock> DirectoryLock::take(const std::filesystem::path& directory) {
  DirectoryLock lock{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (lock.file_ < 0) return system_said(directory);
  while (::flock(lock.file_, LOCK_EX) != 0)
    if (errno != EINTR) return system_said(directory);
  return lock;
}

DirectoryLock::~DirectoryLock() {
  if (file_ >= 0) ::close(file_);
}

Result<KeyFile> read_key_file(const std::filesystem::path& path, mode_t forbidden) {
  // O_NONBLOCK: a pipe put in the file's place must not make the service wait for its writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)};
  if (!file.is_open() && errno == ENOENT) return errors::not_found;
  if (!file.is_open()) return system_said(path);
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return system_said(path);
  if (!S_ISREG(status.st_mode)) return unusable(path, "not a regular file");
  if ((status.st_mode & forbidden) != 0)
    return unusable(path, "open to others (mode " + octal(status.st_mode) + ")");
  std::array<char, key_file_size_max + 1> bytes;
  std::size_t size = 0;
  while (size < bytes.size()) {
    const ssize_t read = ::read(file.number(), bytes.data() + size, bytes.size() - size);
    if (read < 0 && errno == EINTR) continue;
    if (read < 0) return system_said(path);
    if (read == 0) break;
    size += static_cast<std::size_t>(read);
  }
  if (size > key_file_size_max) return unusable(path, "larger than a key is");
  return KeyFile{.text = {bytes.data(), size}, .mark = mark_of(status)};
}

Result<FileMark> mark_of_key_file(const std::filesystem::path& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) == 0) return mark_of(status);
  if (errno == ENOENT) return errors::not_found;
  return system_said(path);
}

Result<> write_key_file(const std::filesystem::path& path, std::string_view text, mode_t mode) {
  const std::filesystem::path temporary =
      path.parent_path() / ('.' + path.filename().string() + ".new");
  if (::unlink(temporary.c_str()) != 0 && errno != ENOENT) return system_said(temporary);
  if (auto written = write_synced(temporary, text, mode); !written) {
    ::unlink(temporary.c_str());
    return written;
  }
  FREEHOLD_CRASH_POINT("identity.before_rename");
  if (::rename(temporary.c_str(), path.c_str()) != 0) return system_said(path);
  return sync_directory(path.parent_path());
}

}  // namespace freehold::identity::internal
