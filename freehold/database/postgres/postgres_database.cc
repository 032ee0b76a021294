// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_database.h"

#include <boost/asio/thread_pool.hpp>
#include <string>
#include <utility>

#include "freehold/base/clock.h"
#include "freehold/base/errors.h"
#include "freehold/database/fault.h"
#include "freehold/database/postgres/postgres_link.h"
#include "freehold/database/postgres/postgres_readers.h"
#include "freehold/database/postgres/postgres_transaction.h"
#include "freehold/database/postgres/postgres_wake_ups.h"
#include "freehold/database/sql_books.h"

namespace freehold {
namespace {

// Which shape the toolkit's own tables have; a program does not open what a newer one has made.
constexpr int books_version = 4;
constexpr std::string_view version_document = "freehold_books_version";
constexpr sql::Query<std::int64_t()> books_of_database{sql::Dialects{
    .sqlite = "select 1", .postgres = "select count(to_regclass('freehold_document'))"}};
// Of several instances that start at one time, one makes the tables.
constexpr std::string_view hold_others_back =
    "select pg_advisory_xact_lock(hashtextextended('freehold_books', 0))";

// Of lanes that are gone, and of commits that were settled: no message of theirs is on its way any
// more.
constexpr sql::Change<void(Time)> forget_markers{"delete from freehold_commit where at < $1"};
constexpr std::chrono::hours markers_kept{24};

constexpr std::string_view rewrite_personal_tables =
    "select freehold_rewrite_personal_tables() as tables";
constexpr std::string_view note_erased =
    "update freehold_document set text = '' where name = $1 and text = $2";
constexpr std::chrono::minutes rewrite_patience{10};

constexpr std::chrono::seconds connect_patience{5};

PostgresConnection::Options connection_options(const PostgresOptions& options,
                                               PostgresConnection::Use use) {
  const auto name_of = [](PostgresConnection::Use of) {
    using enum PostgresConnection::Use;
    return of == lane ? " lane" : of == reads ? " reads" : " wake-ups";
  };
  return {.url = options.url, .name = options.service + name_of(use), .use = use};
}

LaneOptions lane_options(const PostgresOptions& options) {
  return {.executor = options.executor,
          .requests_max = options.requests_max,
          .consumers_max = options.consumers_max};
}

// A transaction pooler gives a session whichever server process is free. So the process of one
// session is asked for before, and then while another session keeps one busy.
Result<> check_no_pooler(PostgresConnection& lane, const PostgresOptions& options) {
  const std::string before = lane.server_process();
  PostgresConnection other{connection_options(options, PostgresConnection::Use::reads),
                           deadline_in(connect_patience)};
  other.begin_transaction(std::nullopt);
  other.wait();
  const std::string after = lane.server_process();
  other.roll_back();
  if (before == after) return {};
  return Error{errors::database_unavailable,
               "a transaction pooler stands before the server: a session was moved from one server "
               "process to another; connect directly or to a pooler of sessions"};
}

}  // namespace

struct PostgresDatabase::Parts {
  Parts(PostgresOptions given, Watches& watches)
      : options(std::move(given)),
        link(connection_options(options, PostgresConnection::Use::lane), options.away_max,
             statistics),
        readers(connection_options(options, PostgresConnection::Use::reads), options.readers_max,
                statistics),
        transaction(link, statistics),
        lane(transaction, lane_options(options)),
        wake_ups(connection_options(options, PostgresConnection::Use::wake_ups), watches),
        read_threads(static_cast<std::size_t>(options.readers_max)) {}

  const PostgresOptions options;
  PostgresStatistics statistics;
  PostgresLink link;
  PostgresReaders readers;
  PostgresLaneTransaction transaction;
  Lane lane;
  PostgresWakeUps wake_ups;
  boost::asio::thread_pool read_threads;  // one for each connection that reads
  const boost::asio::any_io_executor reads_executor = read_threads.get_executor();
  bool is_stopped = false;

  // Makes the toolkit's tables, or refuses those of a newer program.
  Result<> keep_books();
};

// All in one transaction: to die here leaves the database as it was.
Result<> PostgresDatabase::Parts::keep_books() {
  transaction.begin(LaneTransaction::Savepoints::none);
  int version = 0;
  if (transaction.first(books_of_database) == 1)
    version = std::stoi(transaction.books().document(version_document).value_or("0"));
  if (version > books_version)
    return Error{errors::database_unavailable,
                 "it was written by a newer program (version " + std::to_string(version) +
                     ", known are those up to " + std::to_string(books_version) + ")"};
  if (version != 0 && version < books_version)
    return Error{errors::database_unavailable,
                 "it was written by a program of before the first release (version " +
                     std::to_string(version) + "); begin with a new database"};
  if (version == books_version) {
    transaction.run(forget_markers, now() - markers_kept);
    transaction.commit();
    return {};
  }
  try {
    transaction.run_script(hold_others_back);
    create_books(transaction, options.log_partitions);
    transaction.books().put_document(version_document, std::to_string(books_version));
    transaction.commit();
    return {};
  } catch (const DatabaseFault& fault) {
    transaction.roll_back();
    return Error{errors::database_unavailable,
                 std::string{"the toolkit's tables are not there and this role could not make them "
                             "(let the migrator open the database first): "} +
                     fault.what()};
  }
}

Result<std::unique_ptr<PostgresDatabase>> PostgresDatabase::open(PostgresOptions options) {
  const std::string service = options.service;
  const auto refused = [&](std::string_view why) {
    return Error{errors::database_unavailable,
                 "the database of " + service + ": " + std::string{why}};
  };
  try {
    std::unique_ptr<PostgresDatabase> database{new PostgresDatabase{std::move(options)}};
    Parts& parts = *database->parts_;
    PostgresConnection& connection = parts.link.first_connection();
    if (const auto direct = check_no_pooler(connection, parts.options); !direct)
      return refused(direct.error().detail());
    if (const auto kept = parts.keep_books(); !kept) return refused(kept.error().detail());
    database->on_appended({});
    parts.lane.start();
    parts.wake_ups.start();
    return database;
  } catch (const DatabaseFault& fault) {
    return refused(fault.what());
  }
}

PostgresDatabase::PostgresDatabase(PostgresOptions options)
    : parts_(std::make_unique<Parts>(std::move(options), watches())) {
  parts_->transaction.set_watches(watches());
  watches().tell_also(
      [parts = parts_.get()](const std::string& subject) { parts->wake_ups.changed(subject); });
}

PostgresDatabase::~PostgresDatabase() {
  stop();
}

Result<> PostgresDatabase::read_now(std::move_only_function<void(SqlTransaction&)> body) {
  parts_->statistics.reads.fetch_add(1, std::memory_order_relaxed);
  return parts_->readers.read(body);
}

Result<> PostgresDatabase::write_now(std::move_only_function<Result<>(SqlTransaction&)> body) {
  return parts_->lane.write_now(std::move(body));
}

// Die before the commit: the note of the erasure is there, and it is done again. An erasure that is
// committed meanwhile changes the note, or waits for the tables: it is for the next call.
Result<> PostgresDatabase::erase_for_good(Time erased_before) {
  std::string noted;
  FREEHOLD_TRY(read_now([&](SqlTransaction& transaction) {
    noted = transaction.books().document(internal::erasure_document).value_or("");
  }));
  if (noted.empty() || std::stoll(noted) >= erased_before.time_since_epoch().count()) return {};
  try {
    auto options = connection_options(parts_->options, PostgresConnection::Use::lane);
    options.name = parts_->options.service + " erasure";
    PostgresConnection connection{options, deadline_in(connect_patience)};
    connection.set_patience(rewrite_patience);
    connection.begin_transaction(std::nullopt);
    connection.statement(rewrite_personal_tables).execute();
    PostgresStatement& note = connection.statement(note_erased);
    note.text(1, internal::erasure_document);
    note.text(2, noted);
    note.send();
    connection.send_command("commit");
    connection.wait();
    return {};
  } catch (const DatabaseFault& fault) {
    return fault.error();
  }
}

void PostgresDatabase::submit(Urgency urgency, Job job) {
  parts_->lane.submit(urgency, std::move(job));
}

void PostgresDatabase::on_appended(std::function<void(std::span<const StoredEvent>)> listener) {
  parts_->lane.on_appended(
      [parts = parts_.get(), listener = std::move(listener)](std::span<const StoredEvent> events) {
        if (listener) listener(events);
        parts->wake_ups.appended();
      });
}

void PostgresDatabase::on_appended_elsewhere(std::function<void()> listener) {
  parts_->wake_ups.on_appended_elsewhere(std::move(listener));
}

void PostgresDatabase::submit_read(Read read) {
  parts_->statistics.reads.fetch_add(1, std::memory_order_relaxed);
  parts_->readers.submit(std::move(read), parts_->reads_executor);
}

double PostgresDatabase::load() const {
  return parts_->lane.load();
}

void PostgresDatabase::stop() {
  if (std::exchange(parts_->is_stopped, true)) return;
  parts_->link.give_up();
  parts_->lane.stop();
  parts_->readers.stop();
  parts_->read_threads.join();
  parts_->wake_ups.stop();
}

const LaneStatistics& PostgresDatabase::lane_statistics() const {
  return parts_->lane.statistics();
}

const PostgresStatistics& PostgresDatabase::statistics() const {
  return parts_->statistics;
}

}  // namespace freehold
