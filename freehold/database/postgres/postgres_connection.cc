// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <array>
#include <cerrno>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/database/postgres/postgres_foresight.h"
#include "freehold/database/postgres/postgres_groups.h"
#include "freehold/database/transaction.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds setup_patience{5'000};
constexpr milliseconds script_patience{600'000};  // a migration may build an index

// What a stopped or cut-off client would otherwise hold: a lane's transaction ends by itself after
// 2 s of silence, which is why every wait ends with a Sync: after a mere Flush that timer does not
// run. Plans are made once, for keys and for pages behind one: a table that is still empty must not
// lead to one that scans, and no join to one that reads a table from its start to where a page
// begins.
constexpr std::string_view session_settings =
    "set client_min_messages = warning; set lock_timeout = '3s'; "
    "set idle_in_transaction_session_timeout = '2s'; set client_connection_check_interval = '1s'; "
    "set tcp_keepalives_idle = 2; set tcp_keepalives_interval = 1; set tcp_keepalives_count = 3; "
    "set plan_cache_mode = force_generic_plan; set enable_seqscan = off; "
    "set enable_hashjoin = off; set enable_mergejoin = off; set jit = off; ";
constexpr std::string_view lane_settings =
    "set default_transaction_isolation = 'read committed'; set default_transaction_read_only = off";
constexpr std::string_view read_settings =
    "set default_transaction_isolation = 'repeatable read'; "
    "set default_transaction_read_only = on; set statement_timeout = '1s'";

constexpr std::string_view end_stopped =
    "select count(*) filter (where pg_terminate_backend(pid)) as ended from pg_stat_activity "
    "where datname = current_database() and usename = current_user and pid <> pg_backend_pid() "
    "and application_name = current_setting('application_name') and state = 'active' and "
    "wait_event = 'ClientRead' and xact_start is not null "
    "and state_change < clock_timestamp() - interval '2 seconds'";

// A hint need not be on disk.
constexpr std::string_view hint_settings = "set synchronous_commit = off";

const ErrorCode& code_of(std::string_view sqlstate) {
  if (sqlstate == "53100") return errors::disk_full;
  if (sqlstate == "57014") return errors::read_too_long;
  // Connections, lack of resources, operators and shutdowns, the system, deadlocks and the like, a
  // lock that was not got in time, a transaction ended by its timer, a server that only reads.
  static constexpr std::array<std::string_view, 8> environment{"08", "53",    "57",    "58",
                                                               "40", "55P03", "25P03", "25006"};
  for (const std::string_view start : environment)
    if (sqlstate.starts_with(start)) return errors::database_unavailable;
  return errors::internal;
}

std::string line_of(const char* message) {
  std::string line = message ? message : "";
  while (!line.empty() && line.back() == '\n') line.pop_back();
  for (char& c : line)
    if (c == '\n') c = ' ';
  return line;
}

void record_notice(void*, const char* message) {
  record(Severity::warning, "the database has a remark", {{"remark", line_of(message)}});
}

}  // namespace

void PostgresConnection::Close::operator()(pg_conn* handle) const {
  PQfinish(handle);
}

PostgresConnection::PostgresConnection(const Options& options, Deadline until)
    : foresight_(std::make_unique<PostgresForesight>(*this)),
      groups_(std::make_unique<PostgresGroups>(*this)) {
  connect(options, until);
  const auto settings_of = [](Use use) {
    return use == Use::lane ? lane_settings : use == Use::reads ? read_settings : hint_settings;
  };
  run_simple(std::string{session_settings} + std::string{settings_of(options.use)}, setup_patience);
  if (PQenterPipelineMode(handle_.get()) != 1) lose(PQerrorMessage(handle_.get()));
}

PostgresConnection::~PostgresConnection() = default;

void PostgresConnection::connect(const Options& options, Deadline until) {
  // The address may hold settings of its own; those after it are ours.
  constexpr std::array<const char*, 9> names{
      "dbname",           "application_name", "client_encoding",
      "keepalives",       "keepalives_idle",  "keepalives_interval",
      "keepalives_count", "tcp_user_timeout", nullptr};
  const std::array<const char*, 9> values{
      options.url.c_str(), options.name.c_str(), "UTF8", "1", "2", "1", "3", "5000", nullptr};
  handle_.reset(PQconnectStartParams(names.data(), values.data(), 1));
  if (!handle_) throw DatabaseFault(errors::database_unavailable, "no memory for a connection");
  PQsetNoticeProcessor(handle_.get(), record_notice, nullptr);
  for (;;) {
    const PostgresPollingStatusType status = PQstatus(handle_.get()) == CONNECTION_BAD
                                                 ? PGRES_POLLING_FAILED
                                                 : PQconnectPoll(handle_.get());
    if (status == PGRES_POLLING_OK) break;
    if (status == PGRES_POLLING_FAILED) lose(PQerrorMessage(handle_.get()));
    poll_socket(status == PGRES_POLLING_READING, status == PGRES_POLLING_WRITING, until);
  }
  PQsetnonblocking(handle_.get(), 1);
}

void PostgresConnection::poll_socket(bool for_reading, bool for_writing, Deadline until) {
  pollfd socket{.fd = PQsocket(handle_.get()), .events = 0, .revents = 0};
  if (for_reading) socket.events |= POLLIN;
  if (for_writing) socket.events |= POLLOUT;
  for (;;) {
    const auto left = std::chrono::ceil<milliseconds>(until - SteadyClock::now()).count();
    if (left <= 0) lose("the server did not answer in time");
    const int ready = ::poll(&socket, 1, static_cast<int>(left));
    if (ready > 0) return;
    if (ready < 0 && errno != EINTR) lose("its socket cannot be polled");
  }
}

void PostgresConnection::lose(std::string_view why) {
  lost_ = true;
  throw DatabaseFault(errors::database_unavailable, line_of(std::string{why}.c_str()));
}

void PostgresConnection::check_usable() const {
  if (lost_) throw DatabaseFault(errors::database_unavailable, "the connection is lost");
  if (failed_)
    throw DatabaseFault(errors::database_unavailable, "an error has undone the transaction");
  if (deadline_ && SteadyClock::now() >= *deadline_)
    throw DatabaseFault(errors::read_too_long, "the read has no time left");
}

// The next result, or null at the end of a command's.
PostgresResult PostgresConnection::next_result(Deadline until) {
  pg_conn* const handle = handle_.get();
  int unsent = PQflush(handle);
  while (unsent >= 0 && PQisBusy(handle) == 1) {
    poll_socket(true, unsent == 1, until);
    if (PQconsumeInput(handle) != 1) lose(PQerrorMessage(handle));
    if (unsent == 1) unsent = PQflush(handle);
  }
  if (unsent < 0) lose(PQerrorMessage(handle));
  return PostgresResult{PQgetResult(handle)};
}

void PostgresConnection::send_groups() {
  FREEHOLD_ASSERT(!foresight_->is_looking(), "nothing is sent of a body that is looked at");
  groups_->send();
}

void PostgresConnection::settle_assumptions() {
  send_groups();
  if (has_expectations_) wait();
}

void PostgresConnection::wait() {
  if (lost_) check_usable();
  send_groups();
  receive();
  throw_failure();
  has_expectations_ = false;
  if (was_wrong_) throw internal::MustRunAlone{};  // whoever catches it: until the transaction ends
}

void PostgresConnection::receive() {
  if (PQpipelineSync(handle_.get()) != 1) lose(PQerrorMessage(handle_.get()));
  sent_.push_back({Kind::sync});
  has_unknown_changes_ = false;
  const Deadline until = deadline_in(patience_);
  while (!sent_.empty()) {
    PostgresResult result = next_result(until);
    if (!result) {
      FREEHOLD_ASSERT(sent_.front().kind != Kind::sync, "a Sync has an answer");
      sent_.pop_front();
    } else if (PQresultStatus(result.get()) == PGRES_PIPELINE_SYNC) {
      sent_.pop_front();
    } else {
      take(sent_.front(), std::move(result));
    }
  }
}

void PostgresConnection::wait_for_changes() {
  if (has_unknown_changes_) wait();
}

void PostgresConnection::forget_failure() {
  try {
    wait_for_changes();
  } catch (const DatabaseFault&) {
    if (lost_) throw;
  }
  failed_ = false;
  lost_a_race_ = false;
  waited_in_vain_ = false;
}

void PostgresConnection::wait_for_notifications(int other) {
  std::array<pollfd, 2> files{
      {{PQsocket(handle_.get()), POLLIN, 0}, {.fd = other, .events = POLLIN, .revents = 0}}};
  ::poll(files.data(), files.size(), -1);
  if (files[0].revents != 0 && PQconsumeInput(handle_.get()) != 1)
    lose(PQerrorMessage(handle_.get()));
}

std::optional<std::string> PostgresConnection::next_notification() {
  struct Free {
    void operator()(PGnotify* notification) const { PQfreemem(notification); }
  };
  while (const std::unique_ptr<PGnotify, Free> told{PQnotifies(handle_.get())})
    if (told->be_pid != PQbackendPID(handle_.get())) return told->extra;
  return std::nullopt;
}

void PostgresConnection::take(const Sent& sent, PostgresResult result) {
  const ExecStatusType status = PQresultStatus(result.get());
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
    if (sent.rows_expected >= 0 && PQcmdTuples(result.get()) != std::to_string(sent.rows_expected))
      was_wrong_ = true;
    if (sent.is_kept) sent.statement->take(std::move(result));
    return;
  }
  if (sent.kind == Kind::preparation) sent.statement->variants_[sent.variant].is_prepared = false;
  if (status != PGRES_PIPELINE_ABORTED) note_failure(result.get(), &sent);
}

void PostgresConnection::note_failure(const pg_result* result, const Sent* sent) {
  const char* field = PQresultErrorField(result, PG_DIAG_SQLSTATE);
  const std::string_view sqlstate = field ? field : "08006";  // libpq's own: the connection broke
  const char* severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
  failed_ = true;
  ++writes_;
  if (!field || PQstatus(handle_.get()) == CONNECTION_BAD ||
      (severity && std::string_view{severity} != "ERROR"))
    lost_ = true;
  if (failure_) return;
  lost_a_race_ = sqlstate.starts_with("40");
  waited_in_vain_ = sqlstate == "55P03";
  const char* primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  std::string what = line_of(primary ? primary : PQresultErrorMessage(result));
  what.append(" (").append(sqlstate).append(")");
  if (sent && sent->statement) what.append(" in: ").append(sent->statement->text_);
  failure_.emplace(lost_ ? errors::database_unavailable : code_of(sqlstate), what);
}

void PostgresConnection::throw_failure() {
  if (const auto failure = std::exchange(failure_, std::nullopt)) throw DatabaseFault(*failure);
}

// The simple protocol, which takes several statements: outside of the pipeline.
PostgresResult PostgresConnection::run_simple(std::string_view script, milliseconds patience) {
  pg_conn* const handle = handle_.get();
  if (PQsendQuery(handle, std::string{script}.c_str()) != 1) lose(PQerrorMessage(handle));
  const Deadline until = deadline_in(patience);
  PostgresResult last;
  while (PostgresResult result = next_result(until)) {
    const ExecStatusType status = PQresultStatus(result.get());
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY)
      note_failure(result.get(), nullptr);
    last = std::move(result);
  }
  throw_failure();
  return last;
}

void PostgresConnection::run_script(std::string_view script) {
  if (foresight_->is_looking()) throw internal::LookedAhead{};
  wait();
  ++writes_;
  foresight_->changed_anything();
  PQexitPipelineMode(handle_.get());
  const auto enter_again = [this] {
    if (!lost_ && PQenterPipelineMode(handle_.get()) != 1) lost_ = true;
  };
  try {
    run_simple(script, script_patience);
  } catch (const DatabaseFault&) {
    enter_again();
    throw;
  }
  const bool is_inside = PQtransactionStatus(handle_.get()) == PQTRANS_INTRANS;
  enter_again();
  if (is_inside) return;
  lost_ = true;
  throw DatabaseFault(errors::internal, "a script has ended the transaction that it is part of");
}

void PostgresConnection::check_server() {
  PostgresStatement& settings = statement(
      "select current_setting('fsync') = 'on' as fsync, "
      "current_setting('full_page_writes') = 'on' as full_page_writes, "
      "current_setting('synchronous_commit') in ('on', 'remote_apply', 'remote_write') "
      "as synchronous_commit, not pg_is_in_recovery() as primary, "
      "current_setting('server_version_num')::int >= 150000 as recent, "
      "set_config('synchronous_commit', current_setting('synchronous_commit'), false) as held");
  FREEHOLD_ASSERT(settings.next(), "a select of values has a row");
  const auto refuse_unless = [&](int column, std::string_view why) {
    if (settings.integer(column) == 0)
      throw DatabaseFault(errors::database_unavailable, std::string{why});
  };
  refuse_unless(4, "the server is older than PostgreSQL 15");
  refuse_unless(3, "the server is a standby: a service writes to the primary");
  refuse_unless(0, "the server has fsync = off: it would lose what it has acknowledged");
  refuse_unless(1, "the server has full_page_writes = off: a power cut would damage its pages");
  refuse_unless(2,
                "the server has synchronous_commit off or local: it would acknowledge what it may "
                "lose; set it on");
  settings.reset();
}

void PostgresConnection::check_primary() {
  PostgresStatement& recovery = statement("select pg_is_in_recovery() as standby");
  FREEHOLD_ASSERT(recovery.next(), "a select of values has a row");
  const bool is_standby = recovery.integer(0) != 0;
  recovery.reset();
  if (is_standby)
    throw DatabaseFault(errors::database_unavailable,
                        "the server is a standby: a service reads from the primary");
}

std::int64_t PostgresConnection::end_stopped_sessions() {
  PostgresStatement& end = statement(end_stopped);
  FREEHOLD_ASSERT(end.next(), "a count has a row");
  const std::int64_t ended = end.integer(0);
  end.reset();
  if (ended > 0)
    record(Severity::warning, "sessions of stopped clients were ended", {{"sessions", ended}});
  return ended;
}

std::string PostgresConnection::server_process() {
  PQexitPipelineMode(handle_.get());
  const PostgresResult result = run_simple("select pg_backend_pid()", setup_patience);
  if (PQenterPipelineMode(handle_.get()) != 1) lose(PQerrorMessage(handle_.get()));
  return PQgetvalue(result.get(), 0, 0);
}

PostgresStatement& PostgresConnection::ready(std::unique_ptr<PostgresStatement>& place,
                                             std::string_view text, sql::Reach reach) {
  if (!place) place = std::make_unique<PostgresStatement>(*this, text, reach);
  place->reset();  // an exception may have left it in the middle of its last use
  return *place;
}

PostgresStatement& PostgresConnection::prepared(const sql::Text& text) {
  return ready(by_address_[text.dialects.postgres.data()], text.dialects.postgres,
               text.dialects.reach);
}

PostgresStatement& PostgresConnection::statement(std::string_view text, sql::Reach reach) {
  const auto found = by_text_.find(text);
  if (found != by_text_.end()) return ready(found->second, text, reach);
  return ready(by_text_[std::string{text}], text, reach);
}

void PostgresConnection::send_command(std::string_view text) {
  statement(text).send(false);
}

void PostgresConnection::begin_transaction(std::optional<Deadline> deadline) {
  deadline_ = deadline;
  failed_ = false;
  lost_a_race_ = false;
  waited_in_vain_ = false;
  has_expectations_ = false;
  was_wrong_ = false;
  foresight_->begin(PostgresForesight::Use::off);
  groups_->begin(false);
  send_command("begin");
}

void PostgresConnection::roll_back() {
  const auto passes = [](const auto& work) {
    try {
      work();
      return true;
    } catch (const DatabaseFault&) {
      return false;
    }
  };
  foresight_->begin(PostgresForesight::Use::off);
  groups_->begin(false);
  if (lost_) return;
  const auto settle = [this] {
    receive();
    throw_failure();
  };
  if (!sent_.empty()) passes(settle);  // behind a failure, ROLLBACK would be skipped
  end_transaction();
  if (lost_ || PQtransactionStatus(handle_.get()) == PQTRANS_IDLE || passes([&] {
        send_command("rollback");
        settle();
      }))
    return;
  lost_ = true;
}

void PostgresConnection::end_read() {
  end_transaction();
  send_command("rollback");
  if (PQpipelineSync(handle_.get()) != 1) lose(PQerrorMessage(handle_.get()));
  sent_.push_back({Kind::sync});
  if (PQflush(handle_.get()) < 0) lose(PQerrorMessage(handle_.get()));
}

// An end that has arrived already would else be found by a COMMIT, and leave that one unknown.
bool PostgresConnection::is_alive() {
  pollfd socket{.fd = PQsocket(handle_.get()), .events = POLLIN, .revents = 0};
  while (!lost_ && ::poll(&socket, 1, 0) == 1)
    if (PQconsumeInput(handle_.get()) != 1) lost_ = true;
  return !lost_;
}

void PostgresConnection::end_transaction() {
  deadline_.reset();
  failed_ = false;
}

}  // namespace freehold
