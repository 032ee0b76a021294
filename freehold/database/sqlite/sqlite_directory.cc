// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <system_error>

#include "freehold/base/descriptor.h"
#include "freehold/base/errors.h"

namespace freehold {
namespace {

Error failed(const std::filesystem::path& path, std::string_view what) {
  return {errors::database_unavailable,
          path.string() + " " + std::string{what} + ": " + std::generic_category().message(errno)};
}

std::string owner_written_in(int lock) {
  std::array<char, 32> text{};
  const ssize_t size = ::pread(lock, text.data(), text.size() - 1, 0);
  return size > 0 ? std::string{text.data(), static_cast<std::size_t>(size)} : "?";
}

// So that a power cut cannot take away the name of a file that is already in use.
bool sync_directory(const std::filesystem::path& directory) {
  const Descriptor opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  return opened.is_open() && ::fsync(opened.number()) == 0;
}

}  // namespace

Result<> make_private_directory(const std::filesystem::path& directory) {
  std::error_code error;
  const bool is_new = std::filesystem::create_directories(directory, error);
  if (error) {
    errno = error.value();
    return failed(directory, "cannot be made");
  }
  if (::chmod(directory.c_str(), 0700) != 0) return failed(directory, "cannot be made private");
  if (::access(directory.c_str(), R_OK | W_OK | X_OK) != 0)
    return failed(directory, "cannot be written");
  if (is_new && !sync_directory(directory.parent_path()))
    return failed(directory.parent_path(), "cannot be synced");
  return {};
}

Result<SqliteDirectory> SqliteDirectory::open(const std::filesystem::path& given) {
  const std::filesystem::path directory = std::filesystem::absolute(given);
  FREEHOLD_TRY(make_private_directory(directory));
  const std::filesystem::path lock_file = directory / "lock";
  Descriptor lock{::open(lock_file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!lock.is_open()) return failed(lock_file, "cannot be opened");
  if (::flock(lock.number(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return failed(lock_file, "cannot be locked");
    return Error{errors::database_unavailable,
                 directory.string() + " is in use by process " + owner_written_in(lock.number())};
  }
  const std::string owner = std::to_string(::getpid());
  if (::ftruncate(lock.number(), 0) != 0 ||
      ::pwrite(lock.number(), owner.data(), owner.size(), 0) < 0)
    return failed(lock_file, "cannot be written");

  // SQLite gives its other files the mode of this one.
  const std::filesystem::path file = directory / database_file_name;
  const Descriptor database{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  if (!database.is_open()) return failed(file, "cannot be opened");
  if (::fchmod(database.number(), 0600) != 0) return failed(file, "cannot be made private");
  if (!sync_directory(directory)) return failed(directory, "cannot be synced");
  return SqliteDirectory{lock.release()};
}

SqliteDirectory::~SqliteDirectory() {
  if (lock_ >= 0) ::close(lock_);
}

}  // namespace freehold
