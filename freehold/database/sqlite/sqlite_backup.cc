// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_backup.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <string>
#include <system_error>

#include "freehold/base/errors.h"

namespace freehold {
namespace {

struct Close {
  void operator()(sqlite3* handle) const { sqlite3_close(handle); }
};

Error failed(const std::filesystem::path& file, std::string_view why) {
  return {errors::database_unavailable,
          "the backup to " + file.string() + " failed: " + std::string{why}};
}

std::string last_system_error() {
  return std::generic_category().message(errno);
}

Result<> copy(sqlite3* source, const std::filesystem::path& file) {
  sqlite3* opened = nullptr;
  const int result = sqlite3_open_v2(file.c_str(), &opened, SQLITE_OPEN_READWRITE, nullptr);
  const std::unique_ptr<sqlite3, Close> target{opened};
  if (result != SQLITE_OK) return failed(file, sqlite3_errstr(result));
  sqlite3_backup* backup = sqlite3_backup_init(target.get(), "main", source, "main");
  if (!backup) return failed(file, sqlite3_errmsg(target.get()));
  sqlite3_backup_step(backup, -1);  // all at once: on one snapshot
  const int ended = sqlite3_backup_finish(backup);
  if (ended != SQLITE_OK) return failed(file, sqlite3_errstr(ended));
  return {};
}

Result<> sync(const std::filesystem::path& path, int flags) {
  const int opened = ::open(path.c_str(), flags | O_RDONLY | O_CLOEXEC);
  const bool synced = opened >= 0 && ::fsync(opened) == 0;
  const Result<> outcome = synced ? Result<>{} : failed(path, last_system_error());
  if (opened >= 0) ::close(opened);
  return outcome;
}

}  // namespace

Result<> back_up(SqliteConnection::Options source, const std::filesystem::path& file) {
  const std::filesystem::path whole = std::filesystem::absolute(file);
  const std::filesystem::path partial = whole.string() + ".partial";
  const int made = ::open(partial.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (made < 0) return failed(file, last_system_error());
  ::close(made);
  source.reads_only = true;
  try {
    const SqliteConnection connection{source};
    if (auto copied = copy(connection.handle(), partial); !copied) {
      ::unlink(partial.c_str());
      return copied;
    }
  } catch (const DatabaseFault& fault) {
    ::unlink(partial.c_str());
    return fault.error();
  }
  FREEHOLD_TRY(sync(partial, 0));
  if (::rename(partial.c_str(), whole.c_str()) != 0) return failed(file, last_system_error());
  return sync(whole.parent_path(), O_DIRECTORY);
}

}  // namespace freehold
