// SPDX-License-Identifier: Apache-2.0
//
// An order with a member of every kind, for this room's tests.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/id.h"
#include "freehold/schema/described.h"
#include "freehold/schema/json.h"
#include "freehold/schema/nullable.h"

namespace sample {

struct OrderId : freehold::Id<OrderId> {};
struct ProductId : freehold::Id<ProductId> {};

enum class Status { pending, confirmed, rejected };
BOOST_DESCRIBE_ENUM(Status, pending, confirmed, rejected)

struct Money {
  std::int64_t amount_minor = 0;
  std::string currency;
  friend bool operator==(const Money&, const Money&) = default;
};
BOOST_DESCRIBE_STRUCT(Money, (), (amount_minor, currency))

struct Line {
  ProductId product_id;
  int quantity = 0;
  std::optional<std::string> note;
  friend bool operator==(const Line&, const Line&) = default;
};
BOOST_DESCRIBE_STRUCT(Line, (), (product_id, quantity, note))

struct Nothing {
  friend bool operator==(const Nothing&, const Nothing&) = default;
};
BOOST_DESCRIBE_STRUCT(Nothing, (), ())

struct Order {
  OrderId id;
  Status status = Status::pending;
  Money total;
  std::vector<Line> lines;
  std::map<std::string, std::uint32_t> counts;
  freehold::Time placed_at;
  std::optional<freehold::Time> closed_at;
  bool paid = false;
  double weight_kg = 0;
  std::optional<Money> refund;
  std::optional<Status> wish;
  friend bool operator==(const Order&, const Order&) = default;

  using Reply = Nothing;
  static constexpr std::string_view type = "sample.order.v1";
  static constexpr auto subject = &Order::id;
};
BOOST_DESCRIBE_STRUCT(Order, (),
                      (id, status, total, lines, counts, placed_at, closed_at, paid, weight_kg,
                       refund, wish))

struct OrderPatch {
  OrderId id;
  freehold::Nullable<std::string> note;
  std::optional<int> quantity;
  friend bool operator==(const OrderPatch&, const OrderPatch&) = default;
};
BOOST_DESCRIBE_STRUCT(OrderPatch, (), (id, note, quantity))

struct Folder {
  std::string name;
  std::vector<Folder> folders;
};
BOOST_DESCRIBE_STRUCT(Folder, (), (name, folders))

inline constexpr std::string_view order_text =
    R"({"id":"0190163d-8694-739b-aea5-966c26f8ad91","status":"confirmed",)"
    R"("total":{"amount_minor":-1250,"currency":"EUR"},)"
    R"("lines":[{"product_id":"0190163d-8694-739b-aea5-966c26f8ad92","quantity":2,)"
    R"("note":"say \"hi\"\n"},)"
    R"({"product_id":"0190163d-8694-739b-aea5-966c26f8ad93","quantity":1}],)"
    R"("counts":{"a":1,"b":4294967295},"placed_at":"2026-11-22T17:18:19.123456Z",)"
    R"("paid":true,"weight_kg":0.1,"wish":"pending"})";

inline Order an_order() {
  return {
      .id = OrderId::from_text("0190163d-8694-739b-aea5-966c26f8ad91").value(),
      .status = Status::confirmed,
      .total = {.amount_minor = -1250, .currency = "EUR"},
      .lines = {{.product_id = ProductId::from_text("0190163d-8694-739b-aea5-966c26f8ad92").value(),
                 .quantity = 2,
                 .note = "say \"hi\"\n"},
                {.product_id = ProductId::from_text("0190163d-8694-739b-aea5-966c26f8ad93").value(),
                 .quantity = 1,
                 .note = {}}},
      .counts = {{"a", 1}, {"b", 4294967295U}},
      .placed_at = freehold::time_from_text("2026-11-22T17:18:19.123456Z").value(),
      .closed_at = {},
      .paid = true,
      .weight_kg = 0.1,
      .refund = {},
      .wish = Status::pending,
  };
}

}  // namespace sample
