// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/scratch_database.h"

#include <cstdlib>
#include <filesystem>
#include <string>
#include <string_view>

#include "freehold/base/id.h"
#include "freehold/database/postgres/postgres_database.h"
#include "freehold/database/postgres/scratch_cluster.h"
#include "freehold/database/sqlite/sqlite_database.h"

namespace freehold {

namespace {

bool is_to_be_on_server() {
  const char* kind = std::getenv("FREEHOLD_SCRATCH_DATABASE");  // NOLINT(concurrency-mt-unsafe)
  return kind && std::string_view{kind} == "postgres";
}

}  // namespace

ScratchDatabase::ScratchDatabase() : ScratchDatabase(is_to_be_on_server()) {}

ScratchDatabase::ScratchDatabase(bool is_on_server)
    : name_(is_on_server ? ScratchCluster::shared().create_database() : ""),
      place_(is_on_server ? ScratchCluster::shared().url(name_)
                          : (std::filesystem::temp_directory_path() /
                             ("freehold-" + to_text(make_id_bytes())))
                                .string()),
      is_kept_(false),
      work_(context_.get_executor()),
      thread_([this] { context_.run(); }) {
  open();
}

ScratchDatabase::ScratchDatabase(std::string place)
    : place_(std::move(place)),
      is_kept_(true),
      work_(context_.get_executor()),
      thread_([this] { context_.run(); }) {
  open();
}

ScratchDatabase::~ScratchDatabase() {
  stop_();
  work_.reset();
  context_.stop();  // also when a test has left something waiting
  thread_.join();
  database_.reset();
  if (is_kept_) return;
  if (is_on_server())
    ScratchCluster::shared().drop_database(name_);
  else
    std::filesystem::remove_all(place_);
}

bool ScratchDatabase::is_on_server() const {
  return place_.starts_with("postgresql://");
}

void ScratchDatabase::open() {
  const auto keep = [this](auto opened) {
    FREEHOLD_ASSERT(opened, opened.error().text().c_str());
    stop_ = [database = opened->get()] { database->stop(); };
    database_ = *std::move(opened);
  };
  if (!is_on_server()) {
    SqliteOptions options;
    options.directory = place_;
    options.executor = executor();
    options.service = "scratch";
    keep(SqliteDatabase::open(std::move(options)));
  } else {
    PostgresOptions options;
    options.url = place_;
    options.executor = executor();
    options.service = "scratch";
    keep(PostgresDatabase::open(std::move(options)));
  }
}

void ScratchDatabase::migrate(std::span<const Migration> migrations) {
  for (const Migration& migration : migrations) {
    const Result<> done = write([&](SqlTransaction& transaction) -> Result<> {
      transaction.run_script(migration.text_in(transaction.dialect()));
      return {};
    });
    FREEHOLD_ASSERT(done, done.error().text().c_str());
  }
}

void ScratchDatabase::reopen() {
  stop_();
  database_.reset();
  open();
}

Result<> ScratchDatabase::write(std::function<Result<>(SqlTransaction&)> body) {
  return database_->write_now(std::move(body));
}

}  // namespace freehold
