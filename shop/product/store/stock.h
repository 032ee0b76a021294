// SPDX-License-Identifier: Apache-2.0
//
// Stock and reservations in the database: the one place that changes them.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "freehold/database/row_locks.h"
#include "freehold/database/transaction.h"
#include "shop/product/contract/product_contract.h"

namespace product {

// initial + Σ adjustments = on_hand + sold - returned, and 0 ≤ reserved ≤ on_hand.
struct StockView {
  std::int64_t on_hand = 0;
  std::int64_t reserved = 0;
  std::int64_t available = 0;  // on_hand - reserved
  std::int64_t sold = 0;
  std::int64_t returned = 0;
};
BOOST_DESCRIBE_STRUCT(StockView, (), (on_hand, reserved, available, sold, returned))

// The stock of products, and of the products in reservations' lines: what several instances contend
// for, and so name before they change it. Lines are written as Id does: text with hyphens.
inline constexpr freehold::sql::Lock<ProductId, ReservationId> stock_rows{
    "select 1 from stock s join (select unnest($1) as product_id union "
    "select decode(replace(line ->> 'product_id', '-', ''), 'hex') "
    "from reservation r cross join jsonb_array_elements(r.lines::jsonb) as line "
    "where r.id = any($2)) n on n.product_id = s.product_id "
    "order by s.product_id for update of s"};

std::optional<StockView> find_stock(freehold::SqlTransaction& transaction, ProductId id);

// Gives a new product its first stock, on the record as an adjustment.
void begin_stock(freehold::SqlTransaction& transaction, ProductId id, std::int64_t on_hand);

// Adds delta units (or takes them away) and records why. Refused: unknown_product,
// stock_below_reserved, malformed_adjustment (more than can be counted).
freehold::Result<> adjust(freehold::SqlTransaction& transaction, ProductId id, std::int64_t delta,
                          const std::string& reason);

// Reserves all the lines (merged, see domain/reservation.h) or none; a repeat changes nothing.
// Refused: unknown_product, product_withdrawn, out_of_stock, reservation_released.
freehold::Result<> hold(freehold::SqlTransaction& transaction, ReservationId id,
                        const std::vector<Line>& lines);

// Gives back what the reservation holds or has sold; returns whether there was anything. Without a
// reservation it leaves a tombstone that refuses a later one of this id. Released ones and
// tombstones are the record of the effect once; they are forgotten, some with each release, after
// released_kept: longer than their commands can be read in a log that is kept as by default (7
// days, or 31 while a reader is behind); who keeps logs for longer raises it. What is held or sold
// is kept, since it may be released at any time.
inline constexpr std::chrono::days released_kept{35};
bool release(freehold::SqlTransaction& transaction, ReservationId id);

// Released and returned are given back: of what was held, and of what was sold.
enum class ReservationState { held, sold, released, returned };
BOOST_DESCRIBE_ENUM(ReservationState, held, sold, released, returned)
struct StateOfReservation {
  ReservationId id;
  ReservationState state = ReservationState::held;
};
BOOST_DESCRIBE_STRUCT(StateOfReservation, (), (id, state))
// Reservations and tombstones behind `after`, by id, at most so many.
std::vector<StateOfReservation> reservations(freehold::SqlTransaction& transaction,
                                             std::optional<ReservationId> after, std::size_t most);

// Turns what is held into sold; a repeat changes nothing, also when all was returned meanwhile: a
// restored log sends it anew. A reservation that does not exist or was released unsold is a fault
// (std::runtime_error): commands of one reservation arrive in order.
void sell(freehold::SqlTransaction& transaction, ReservationId id);

}  // namespace product
