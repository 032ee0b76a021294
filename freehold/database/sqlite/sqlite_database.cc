// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_database.h"

#include <sqlite3.h>

#include <system_error>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/database/fault.h"
#include "freehold/database/sql_books.h"
#include "freehold/database/sqlite/sqlite_backup.h"
#include "freehold/database/sqlite/sqlite_checkpointer.h"
#include "freehold/database/sqlite/sqlite_connection.h"
#include "freehold/database/sqlite/sqlite_directory.h"
#include "freehold/database/sqlite/sqlite_readers.h"
#include "freehold/database/sqlite/sqlite_transaction.h"
#include "freehold/database/sqlite/stepping_storage.h"

namespace freehold {
namespace {

// Which shape the toolkit's own tables have; a program does not open what a newer one has made.
// Before the first release nothing is carried over from an older shape.
constexpr std::int64_t books_version = 3;

SqliteConnection::Options connection_options(const SqliteOptions& options, bool reads_only) {
  return {.file = (options.directory / database_file_name).string(),
          .storage = options.storage,
          .page_cache_kib = reads_only ? options.readers_page_cache_kib : options.page_cache_kib,
          .reads_only = reads_only,
          .secure_delete = options.secure_delete};
}

LaneOptions lane_options(const SqliteOptions& options) {
  return {.executor = options.executor,
          .requests_max = options.requests_max,
          .consumers_max = options.consumers_max,
          .on_commit_unknown = options.on_commit_unknown};
}

}  // namespace

struct SqliteDatabase::Parts {
  Parts(SqliteOptions given, std::optional<SqliteDirectory> opened)
      : options(std::move(given)),
        directory(std::move(opened)),
        writer(connection_options(options, false)),
        readers(connection_options(options, true), options.readers_max),
        checkpointer(writer, readers, options.checkpoint_pages, statistics),
        transaction(writer, checkpointer),
        lane(transaction, lane_options(options)) {}

  const SqliteOptions options;
  const std::optional<SqliteDirectory> directory;  // none behind the storage door
  SqliteStatistics statistics;
  SqliteConnection writer;
  SqliteReaders readers;
  SqliteCheckpointer checkpointer;
  SqliteLaneTransaction transaction;
  Lane lane;
  bool is_stopped = false;

  // Makes the toolkit's tables, or refuses those of another program.
  Result<> keep_books();
};

// All in one transaction: to die here leaves the database as it was.
Result<> SqliteDatabase::Parts::keep_books() {
  const std::int64_t version = writer.number("pragma user_version");
  if (version > books_version)
    return Error{errors::database_unavailable,
                 options.directory.string() + " was written by a newer program (version " +
                     std::to_string(version) + ", known are those up to " +
                     std::to_string(books_version) + ")"};
  if (version != 0 && version < books_version)
    return Error{errors::database_unavailable,
                 options.directory.string() +
                     " was written by a program of before the first release (version " +
                     std::to_string(version) + "); begin with a new directory"};
  transaction.begin(LaneTransaction::Savepoints::real);
  create_books(transaction, options.log_partitions);
  writer.run("pragma user_version = " + std::to_string(books_version));
  transaction.commit();
  return {};
}

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(SqliteOptions options) {
  const std::string where = options.directory.string();
  configure_sqlite();
  std::optional<SqliteDirectory> directory;
  if (options.storage.empty()) {
    FREEHOLD_TRY(auto opened, SqliteDirectory::open(options.directory));
    directory = std::move(opened);
  }
  try {
    auto parts = std::make_unique<Parts>(std::move(options), std::move(directory));
    FREEHOLD_TRY(parts->keep_books());
    if (parts->options.start_lane) {
      auto passing = connection_options(parts->options, false);
      passing.storage = stepping_storage(passing.storage);
      parts->checkpointer.start(std::make_unique<SqliteConnection>(passing));
      parts->lane.start();
    }
    return std::unique_ptr<SqliteDatabase>{new SqliteDatabase{std::move(parts)}};
  } catch (const DatabaseFault& fault) {
    return Error{errors::database_unavailable, where + ": " + fault.what()};
  }
}

SqliteDatabase::SqliteDatabase(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {
  parts_->transaction.set_watches(watches());
}

SqliteDatabase::~SqliteDatabase() {
  stop();
}

Result<> SqliteDatabase::read_now(std::move_only_function<void(SqlTransaction&)> body) {
  parts_->statistics.reads.fetch_add(1, std::memory_order_relaxed);
  return parts_->readers.read(body);
}

Result<> SqliteDatabase::write_now(std::move_only_function<Result<>(SqlTransaction&)> body) {
  return parts_->lane.write_now(std::move(body));
}

void SqliteDatabase::submit(Urgency urgency, Job job) {
  parts_->lane.submit(urgency, std::move(job));
}

void SqliteDatabase::on_appended(std::function<void(std::span<const StoredEvent>)> listener) {
  parts_->lane.on_appended(std::move(listener));
}

double SqliteDatabase::load() const {
  return parts_->lane.load();
}

Result<> SqliteDatabase::backup_to(const std::filesystem::path& file) {
  return back_up(connection_options(parts_->options, true), file);
}

Result<> SqliteDatabase::truncate_wal() {
  Result<> outcome;
  FREEHOLD_TRY(parts_->lane.pause([&] {
    try {
      if (!parts_->checkpointer.truncate())
        outcome = Error{errors::database_unavailable, "a reader kept the log in use"};
    } catch (const DatabaseFault& fault) {
      outcome = fault.error();
    }
  }));
  return outcome;
}

std::size_t SqliteDatabase::run_pending() {
  return parts_->lane.run_pending();
}

void SqliteDatabase::stop() {
  if (std::exchange(parts_->is_stopped, true)) return;
  parts_->lane.stop();
  parts_->checkpointer.stop();
  if (parts_->lane.was_left()) return;
  try {
    parts_->checkpointer.truncate();
  } catch (const DatabaseFault& fault) {
    // The next start carries over what the write-ahead log still holds.
    record(Severity::warning, "the last checkpoint failed", {{"why", fault.what()}});
  }
}

const LaneStatistics& SqliteDatabase::lane_statistics() const {
  return parts_->lane.statistics();
}

const SqliteStatistics& SqliteDatabase::statistics() const {
  return parts_->statistics;
}

}  // namespace freehold
