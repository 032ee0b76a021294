// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/scratch_database.h"

#include <string>

#include "freehold/base/id.h"

namespace freehold {

// In memory where there is such a directory: what is tested with it dies with its process at most.
std::filesystem::path scratch_root() {
  const std::filesystem::path in_memory = "/dev/shm";
  return std::filesystem::is_directory(in_memory) ? in_memory
                                                  : std::filesystem::temp_directory_path();
}

ScratchDatabase::ScratchDatabase()
    : directory_(std::filesystem::temp_directory_path() / ("freehold-" + to_text(make_id_bytes()))),
      is_kept_(false),
      work_(context_.get_executor()),
      thread_([this] { context_.run(); }) {
  open();
}

ScratchDatabase::ScratchDatabase(std::filesystem::path directory)
    : directory_(std::move(directory)),
      is_kept_(true),
      work_(context_.get_executor()),
      thread_([this] { context_.run(); }) {
  open();
}

ScratchDatabase::~ScratchDatabase() {
  database_->stop();
  work_.reset();
  context_.stop();  // also when a test has left something waiting
  thread_.join();
  database_.reset();
  if (!is_kept_) std::filesystem::remove_all(directory_);
}

void ScratchDatabase::open() {
  SqliteOptions options;
  options.directory = directory_;
  options.executor = executor();
  options.service = "scratch";
  auto opened = SqliteDatabase::open(std::move(options));
  FREEHOLD_ASSERT(opened, opened.error().text().c_str());
  database_ = *std::move(opened);
}

void ScratchDatabase::migrate(std::span<const Migration> migrations) {
  for (const Migration& migration : migrations) {
    const Result<> done = write([&](SqlTransaction& transaction) -> Result<> {
      transaction.run_script(migration.text);
      return {};
    });
    FREEHOLD_ASSERT(done, done.error().text().c_str());
  }
}

void ScratchDatabase::reopen() {
  database_->stop();
  database_.reset();
  open();
}

Result<> ScratchDatabase::write(std::function<Result<>(SqlTransaction&)> body) {
  return database_->write_now(std::move(body));
}

}  // namespace freehold
