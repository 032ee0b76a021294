// SPDX-License-Identifier: Apache-2.0
#include "freehold/replica/test_library.h"

#include <utility>

namespace freehold {
namespace {

constexpr sql::Query<ShelfRow()> all_shelves{
    "select shelf, books, version from shelf_replica where freehold_deleted = 0 order by shelf"};

}  // namespace

std::string shelf_name(std::int64_t number) {
  return "shelf " + std::to_string(number);
}

void LibraryTest::start() {
  set_own_service("library");  // the only one that publishes
  start_library();
  start_desk();
}

void LibraryTest::stop() {
  stop_desk();
  library_.reset();
}

void LibraryTest::start_library(std::uint16_t port) {
  library_ = std::make_unique<TestService>(TestServiceOptions{
      .name = "library", .directory = directory_.path() / "library", .port = port});
}

void LibraryTest::start_desk() {
  desk_ = std::make_unique<TestService>(
      TestServiceOptions{.name = "desk", .directory = directory_.path() / "desk"});
  replicas_ = std::make_unique<Replicas>(desk_->database());
}

// The consumers use the replicas until they have stopped.
void LibraryTest::stop_desk() {
  desk_.reset();
  replicas_.reset();
}

ConsumerLoop& LibraryTest::copy(ReplicaProgram program) {
  auto consumer =
      replicas_->copy(std::move(program), desk_->feed_of("library", library_->address()));
  FREEHOLD_ASSERT(consumer, consumer.error().text().c_str());
  return desk_->consume(*std::move(consumer), library_->address());
}

void LibraryTest::append_to_library(std::function<void(SqlTransaction&)> body) {
  const Result<> done = library_->write([&](SqlTransaction& transaction) -> Result<> {
    body(transaction);
    return {};
  });
  FREEHOLD_ASSERT(done, done.error().text().c_str());
}

void LibraryTest::put(const std::string& shelf, std::int64_t books, std::int64_t version) {
  append_to_library([&](SqlTransaction& transaction) {
    append(transaction, ShelfState{shelf, "of " + shelf, books, version});
  });
}

void LibraryTest::put_many(std::int64_t count, std::int64_t books, std::int64_t version) {
  append_to_library([&](SqlTransaction& transaction) {
    for (std::int64_t i = 0; i < count; ++i)
      append(transaction, ShelfState{shelf_name(i), "", books, version});
  });
}

void LibraryTest::remove(const std::string& shelf, std::int64_t version) {
  append_to_library([&](SqlTransaction& transaction) {
    append_deletion(transaction, ShelfState{shelf, "", 0, version});
  });
}

std::optional<ShelfRow> LibraryTest::found(const std::string& shelf) {
  return desk_->read<std::optional<ShelfRow>>(
      [&](SqlTransaction& transaction) { return shelves.find(transaction, shelf); });
}

std::vector<ShelfRow> LibraryTest::all_rows() {
  return desk_->read<std::vector<ShelfRow>>(
      [](SqlTransaction& transaction) { return transaction.all(all_shelves); });
}

bool LibraryTest::catches_up(const ConsumerLoop& loop) {
  const EventId head = library_->read<EventId>(
      [](SqlTransaction& transaction) { return transaction.books().head(0).last; });
  return comes_true([&] {
    return desk_->read<bool>([&](SqlTransaction& transaction) {
      const auto cursor = transaction.books().cursor(loop.consumer().cursor_name(), 0);
      return cursor && cursor->at == head;
    });
  });
}

}  // namespace freehold
