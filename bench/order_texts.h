// SPDX-License-Identifier: Apache-2.0
//
// What the rows of one order hold, as long as in the shop; see ceiling_rows.h.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "freehold/base/clock.h"
#include "freehold/base/id.h"

namespace bench {

struct BareOrder {
  freehold::IdBytes id{};
  std::string id_text;
  std::size_t product = 0;
  freehold::Deadline begun{};
};

inline constexpr std::array<std::uint8_t, 16> customer{1, 0xa2, 5, 0x11, 0xcc, 0xa2, 0x70, 0xb8};
inline constexpr std::int64_t request_hash = 6'628'197'158'417'860'460;
inline constexpr std::string_view answer_scope =
    "user 01a20511-cca2-70b8-8296-5e45566dad22 POST /api/orders";
inline constexpr std::string_view reserve_type = "product.reserve_stock.v1";
inline constexpr std::string_view sell_type = "product.sell_stock.v1";
inline constexpr std::string_view reply_type = "freehold.reply.v1";

// Microseconds since 1970 UTC.
std::int64_t now_us();
inline constexpr std::int64_t day_us = 86'400'000'000;

// Of the n-th product of the catalogue.
freehold::IdBytes product_id(std::size_t number);

std::string wanted_lines();
std::string priced_lines();
std::string answer_body(const BareOrder& order);
std::string answer_location(const BareOrder& order);
std::string saga_id(const BareOrder& order);
std::string saga_input(const BareOrder& order);
// The saga's journal, when it waits for its reply and at its end.
std::string journal_begun();
std::string journal_ended(const BareOrder& order);
std::string reserve_event(const BareOrder& order);
std::string sell_event(const BareOrder& order);
std::string reply_event(const BareOrder& order);

}  // namespace bench
