// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: a "library" owns shelves, a "desk" keeps a replica of them.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/events/event.h"
#include "freehold/events/test_service.h"
#include "freehold/replica/replica.h"
#include "freehold/replica/replicas.h"

namespace freehold {

struct ShelfState {
  std::string shelf;
  std::string label;
  std::int64_t books;
  std::int64_t version;
  static constexpr std::string_view type = "library.shelf.v1";
  static constexpr auto subject = &ShelfState::shelf;
};
BOOST_DESCRIBE_STRUCT(ShelfState, (), (shelf, label, books, version))

// The next version of the same family, of which the desk knows nothing.
struct ShelfStateAnew {
  std::string shelf;
  std::int64_t version;
  static constexpr std::string_view type = "library.shelf.v2";
  static constexpr auto subject = &ShelfStateAnew::shelf;
};
BOOST_DESCRIBE_STRUCT(ShelfStateAnew, (), (shelf, version))

struct ShelfRow {
  std::string shelf;
  std::int64_t books;
  std::int64_t version;
  friend bool operator==(const ShelfRow&, const ShelfRow&) = default;
};
BOOST_DESCRIBE_STRUCT(ShelfRow, (), (shelf, books, version))

// What a later program of the desk keeps in the same table.
struct LabelledShelfRow {
  std::string shelf;
  std::string label;
  std::int64_t books;
  friend bool operator==(const LabelledShelfRow&, const LabelledShelfRow&) = default;
};
BOOST_DESCRIBE_STRUCT(LabelledShelfRow, (), (shelf, label, books))

inline constexpr Replica<ShelfState, ShelfRow> shelves{"shelf_replica"};
inline constexpr Replica<ShelfState, LabelledShelfRow> labelled_shelves{"shelf_replica"};

// Two services over a real feed. Start the library first; stop the desk before the library.
class LibraryTest : public testing::Test {
 protected:
  void SetUp() override { start(); }
  void TearDown() override { stop(); }

  void start();  // both
  void stop();
  void start_library(std::uint16_t port = 0);
  void start_desk();
  // The desk's copy begins to work; its consumer.
  ConsumerLoop& copy(ReplicaProgram program = shelves.program());
  void stop_desk();

  // The library publishes that state of a shelf, or of shelves 0 … count - 1.
  void put(const std::string& shelf, std::int64_t books, std::int64_t version);
  void put_many(std::int64_t count, std::int64_t books, std::int64_t version);
  void remove(const std::string& shelf, std::int64_t version);
  void append_to_library(std::function<void(SqlTransaction&)> body);

  std::optional<ShelfRow> found(const std::string& shelf);
  std::vector<ShelfRow> all_rows();  // of living subjects, by their names
  // Waits until the desk has applied all that the library has published.
  bool catches_up(const ConsumerLoop& loop);

  TemporaryDirectory directory_;
  std::unique_ptr<TestService> library_;
  std::unique_ptr<Replicas> replicas_;
  std::unique_ptr<TestService> desk_;
};

std::string shelf_name(std::int64_t number);

}  // namespace freehold
