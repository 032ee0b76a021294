// SPDX-License-Identifier: Apache-2.0
#include "freehold/schema/row.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <stdexcept>

#include "freehold/schema/memory_row.h"
#include "freehold/schema/sample_order.h"

namespace freehold {
namespace {

using sample::an_order, sample::Money, sample::Order, sample::Status;
using testing::ElementsAre;

struct Bytes {
  IdBytes stamp{};
  Blob blob;
  RawJson raw;
  friend bool operator==(const Bytes&, const Bytes&) = default;
};
BOOST_DESCRIBE_STRUCT(Bytes, (), (stamp, blob, raw))

std::vector<int> in_order(std::size_t size) {
  std::vector<int> places;
  for (std::size_t i = 0; i < size; ++i) places.push_back(static_cast<int>(i));
  return places;
}

// The message with which the stored value is called corrupt.
template <class T>
std::string complaint(MemoryRow::Value stored) {
  MemoryRow row;
  row.values = {std::move(stored)};
  try {
    (void)read_column<T>(row, 0, "price_amount_minor");
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return {};
}

TEST(Row, nested_structs_are_columns_of_their_own) {
  EXPECT_THAT(column_names<Order>(),
              ElementsAre("id", "status", "total_amount_minor", "total_currency", "lines", "counts",
                          "placed_at", "closed_at", "paid", "weight_kg", "refund", "wish"));
  EXPECT_EQ(columns<Order>()[0], (Column{"id", ColumnType::blob, false}));
  EXPECT_EQ(columns<Order>()[2], (Column{"total_amount_minor", ColumnType::integer, false}));
  EXPECT_EQ(columns<Order>()[7], (Column{"closed_at", ColumnType::integer, true}));
  EXPECT_EQ(columns<Order>()[9], (Column{"weight_kg", ColumnType::real, false}));
  EXPECT_EQ(columns<Order>()[10], (Column{"refund", ColumnType::text, true}));
}

TEST(Row, each_member_is_stored_as_its_column_says) {
  MemoryRow row;
  Order order = an_order();
  EXPECT_EQ(bind_row(row, 1, order), 13);
  EXPECT_EQ(row.values[0], MemoryRow::Value{Blob(order.id.bytes.begin(), order.id.bytes.end())});
  EXPECT_EQ(row.values[1], MemoryRow::Value{"confirmed"});
  EXPECT_EQ(row.values[2], MemoryRow::Value{std::int64_t{-1250}});
  EXPECT_EQ(row.values[4], MemoryRow::Value{to_json(order.lines)});
  EXPECT_EQ(row.values[6], MemoryRow::Value{order.placed_at.time_since_epoch().count()});
  EXPECT_EQ(row.values[7], MemoryRow::Value{});
  EXPECT_EQ(row.values[8], MemoryRow::Value{std::int64_t{1}});
  EXPECT_EQ(row.values[9], MemoryRow::Value{0.1});
}

TEST(Row, columns_are_visited_with_their_names) {
  std::string visited;
  for_each_column(an_order(), [&]<class Member>(std::string_view name, const Member& member) {
    if constexpr (std::same_as<Member, std::int64_t>)
      visited.append(name).append("=").append(std::to_string(member));
  });
  EXPECT_EQ(visited, "total_amount_minor=-1250");
}

TEST(Row, a_struct_is_read_back_from_wherever_its_columns_stand) {
  MemoryRow row;
  const Money money{.amount_minor = 7, .currency = "EUR"};
  row.text(1, money.currency);
  row.null(2);
  row.integer(3, money.amount_minor);
  EXPECT_EQ(read_row<Money>(row, std::vector{2, 0}), money);
}

TEST(Row, raw_bytes_are_blobs) {
  const Bytes bytes{.stamp = make_id_bytes(), .blob = {0, 255, 0}, .raw = {"[1, 2]"}};
  MemoryRow row;
  bind_row(row, 1, bytes);
  EXPECT_EQ(row.values[1], (MemoryRow::Value{Blob{0, 255, 0}}));
  EXPECT_EQ(row.values[2], (MemoryRow::Value{"[1, 2]"}));
  EXPECT_EQ(read_row<Bytes>(row, in_order(3)), bytes);
  bind_value(row, 1, std::span<const std::uint8_t>{bytes.blob});
  EXPECT_EQ(row.values[0], (MemoryRow::Value{bytes.blob}));
}

TEST(Row, what_the_struct_cannot_hold_is_a_corrupt_database_and_names_the_column) {
  using testing::HasSubstr;
  EXPECT_EQ(complaint<int>(std::int64_t{1} << 31),
            "the database holds what cannot be in column price_amount_minor: out of range");
  EXPECT_THAT(complaint<std::uint32_t>(std::int64_t{-1}), HasSubstr("out of range"));
  EXPECT_THAT(complaint<bool>(std::int64_t{2}), HasSubstr("neither 0 nor 1"));
  EXPECT_THAT(complaint<std::string>({}), HasSubstr("null"));
  EXPECT_THAT(complaint<Status>("gone"), HasSubstr("no such enumerator"));
  EXPECT_THAT(complaint<sample::OrderId>(Blob(15, 1)), HasSubstr("not 16 bytes"));
  EXPECT_THAT(complaint<sample::OrderId>(Blob(16, 0)), HasSubstr("nil"));
  EXPECT_THAT(complaint<std::vector<int>>("[1,"), HasSubstr("not JSON"));
  EXPECT_THAT(complaint<std::optional<Status>>("gone"), HasSubstr("no such enumerator"));
  EXPECT_EQ(complaint<std::optional<Status>>({}), "");
}

TEST(Row, binding_a_nil_id_is_a_bug) {
  MemoryRow row;
  EXPECT_DEATH(bind_value(row, 1, sample::OrderId{}), "nil id");
}

}  // namespace
}  // namespace freehold
