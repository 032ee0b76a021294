// SPDX-License-Identifier: Apache-2.0
#include "bench/bare_database.h"

#include <sqlite3.h>

#include <boost/asio/system_executor.hpp>

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/database/migrations.h"
#include "freehold/database/sqlite/sqlite_database.h"

namespace bench {
namespace {

const int checkpoint_pages = freehold::SqliteOptions{}.checkpoint_pages;

}  // namespace

BareStatement::BareStatement(freehold::SqliteConnection& connection, std::string_view text)
    : connection_(connection) {
  const int result =
      sqlite3_prepare_v3(connection.handle(), text.data(), static_cast<int>(text.size()),
                         SQLITE_PREPARE_PERSISTENT, &statement_, nullptr);
  if (result != SQLITE_OK) connection.fail(result, text);
}

BareStatement::~BareStatement() {
  sqlite3_finalize(statement_);
}

void BareStatement::bind(int parameter, std::int64_t value) {
  sqlite3_bind_int64(statement_, parameter, value);
}

void BareStatement::bind(int parameter, std::string_view value) {
  const char* bytes = value.empty() ? "" : value.data();  // no pointer would be NULL
  sqlite3_bind_text(statement_, parameter, bytes, static_cast<int>(value.size()), SQLITE_STATIC);
}

void BareStatement::bind(int parameter, std::span<const std::uint8_t> value) {
  sqlite3_bind_blob(statement_, parameter, value.data(), static_cast<int>(value.size()),
                    SQLITE_STATIC);
}

void BareStatement::run_bound() {
  const int result = sqlite3_step(statement_);
  if (result != SQLITE_DONE) connection_.fail(result, sqlite3_sql(statement_));
  sqlite3_reset(statement_);
}

BareDatabase::BareDatabase(const std::filesystem::path& directory, std::string service,
                           std::span<const freehold::Migration> migrations) {
  // The lane's own thread has ended when this scope does: no other connection is left.
  {
    const auto made = freehold::SqliteDatabase::open({.directory = directory,
                                                      .executor = boost::asio::system_executor{},
                                                      .service = std::move(service)});
    FREEHOLD_ASSERT(made.has_value(), made.error().text().c_str());
    const auto migrated = freehold::migrate(**made, migrations);
    FREEHOLD_ASSERT(migrated.has_value(), migrated.error().text().c_str());
    (*made)->stop();
  }
  const std::string file = directory / "database.sqlite";
  connection_ = std::make_unique<freehold::SqliteConnection>(
      freehold::SqliteConnection::Options{.file = file, .secure_delete = true});
  prepare();
  carrier_ = std::thread{[this, file] { carry(file); }};
}

BareDatabase::~BareDatabase() {
  checkpoint_ = Checkpoint::ended;
  checkpoint_.notify_one();
  carrier_.join();
}

void BareDatabase::prepare() {
  position_ = connection_->number("select position from freehold_head where partition = 0");
  const auto prepared = [this](std::string_view text) {
    return std::make_unique<BareStatement>(*connection_, text);
  };
  begin_ = prepared("begin immediate");
  commit_ = prepared("commit");
  insert_event_ = prepared(
      "insert into freehold_event (place, stamp, appended, type, recipient, json) "
      "values (?1, ?2, ?3, ?4, ?5, ?6)");
  set_head_ = prepared(
      "update freehold_head set position = ?1, stamp = ?2, appended = ?3 where partition = 0");
  connection_->run(
      "insert into freehold_cursor (consumer, partition, position, stamp, log_id) "
      "values ('other', 0, 0, 0, '') on conflict do nothing");
  set_cursor_ = prepared(
      "update freehold_cursor set position = position + 1, stamp = ?1 "
      "where consumer = 'other' and partition = 0");
}

void BareDatabase::append(std::string_view type, std::string_view recipient,
                          std::string_view json) {
  if (appended_ == 0) appended_ = freehold::now().time_since_epoch().count();
  insert_event_->run(++position_, stamp_, appended_, type, recipient, json);
}

void BareDatabase::seal() {
  if (appended_ == 0) return;
  set_head_->run(position_, stamp_, appended_);
  stamp_ = static_cast<std::int64_t>(static_cast<std::uint64_t>(stamp_) * 0x9e3779b97f4a7c15U | 1);
  appended_ = 0;
}

void BareDatabase::move_cursor() {
  set_cursor_->run(stamp_);
}

void BareDatabase::commit() {
  commit_->run();
  if (checkpoint_ == Checkpoint::carried) {
    connection_->checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    checkpoint_ = Checkpoint::none;
  } else if (checkpoint_ == Checkpoint::none && connection_->wal_pages >= checkpoint_pages) {
    checkpoint_ = Checkpoint::wanted;
    checkpoint_.notify_one();
  }
}

void BareDatabase::carry(const std::string& file) {
  const freehold::SqliteConnection connection{{.file = file}};
  while (true) {
    checkpoint_.wait(Checkpoint::none);
    checkpoint_.wait(Checkpoint::carried);
    if (checkpoint_ == Checkpoint::ended) return;
    if (checkpoint_ != Checkpoint::wanted) continue;
    connection.checkpoint(SQLITE_CHECKPOINT_PASSIVE);
    auto wanted = Checkpoint::wanted;
    checkpoint_.compare_exchange_strong(wanted, Checkpoint::carried);
  }
}

}  // namespace bench
