// SPDX-License-Identifier: Apache-2.0
#include "shop/product/store/stock.h"

#include <stdexcept>

#include "freehold/base/clock.h"
#include "freehold/base/planted_bug.h"
#include "shop/product/domain/catalogue.h"

namespace product {
namespace {

using freehold::SqlTransaction;
using freehold::sql::by_key;
using freehold::sql::Change;
using freehold::sql::Dialects;
using freehold::sql::estimate;
using freehold::sql::locking;
using freehold::sql::Query;
using freehold::sql::sum_by_key;

struct AdjustmentId : freehold::Id<AdjustmentId> {};

struct Reservation {
  ReservationState state = ReservationState::held;
  std::vector<Line> lines;
};
BOOST_DESCRIBE_STRUCT(Reservation, (), (state, lines))

struct Offer {
  bool withdrawn = false;
  std::int64_t available = 0;
};
BOOST_DESCRIBE_STRUCT(Offer, (), (withdrawn, available))

constexpr Query<StockView(ProductId)> stock_of{
    "select on_hand, reserved, on_hand - reserved as available, sold, returned "
    "from stock where product_id = $1"};
constexpr Query<StockView(ProductId)> stock_to_adjust{
    locking("select on_hand, reserved, on_hand - reserved as available, sold, returned "
            "from stock where product_id = $1 for update")};
constexpr Change<void(ProductId, std::int64_t)> insert_stock{
    "insert into stock (product_id, on_hand) values ($1, $2)"};
constexpr Change<void(ProductId, std::int64_t)> add_stock{
    "update stock set on_hand = on_hand + $2 where product_id = $1"};
constexpr Change<void(AdjustmentId, ProductId, std::int64_t, std::string, freehold::Time)>
    insert_adjustment{
        "insert into stock_adjustment (id, product_id, delta, reason, at) "
        "values ($1, $2, $3, $4, $5)"};

// `withdrawn` is set by a trigger on `product` (migration 0006). Both ask the same; their columns
// are in another order because a driver knows a statement, and its promise, by its text.
constexpr Query<Offer(ProductId)> offer_of{
    estimate("select withdrawn, on_hand - reserved as available from stock where product_id = $1")};
constexpr Query<Offer(ProductId)> offer_now{
    by_key("select on_hand - reserved as available, withdrawn from stock where product_id = $1")};
constexpr Query<Reservation(ReservationId)> reservation_of{
    by_key(locking("select state, lines from reservation where id = $1 for update"))};
constexpr Query<StateOfReservation(std::optional<ReservationId>)> reservations_after{
    Dialects{.sqlite = "select id, state from reservation where id > coalesce($1, x'') order by id",
             .postgres = "select id, state from reservation "
                         "where id > coalesce($1, '\\x'::bytea) order by id"}};
constexpr Change<void(ReservationId, ReservationState, std::vector<Line>)> insert_reservation{
    by_key("insert into reservation (id, state, lines) values ($1, $2, $3) "
           "on conflict do nothing")};
constexpr Change<void(ReservationId)> set_sold{
    by_key("update reservation set state = 'sold' where id = $1")};
constexpr Change<void(ReservationId, ReservationState, freehold::Time)> set_given_back{
    by_key("update reservation set state = $2, released_at = $3 where id = $1")};
constexpr Change<void(ReservationId, freehold::Time)> insert_tombstone{
    by_key("insert into reservation (id, state, lines, released_at) "
           "values ($1, 'released', '[]', $2)")};
// Two for each that comes, so that there are never many more than the age allows.
constexpr Change<void(freehold::Time)> forget_released{
    "delete from reservation where id in (select id from reservation "
    "where released_at < $1 order by released_at limit 2)"};

constexpr Change<void(ProductId, std::int64_t)> reserve_units{
    sum_by_key("update stock set reserved = reserved + $2 "
               "where product_id = $1 and on_hand - reserved >= $2")};
constexpr Change<void(ProductId, std::int64_t)> unreserve_units{
    sum_by_key("update stock set reserved = reserved - $2 where product_id = $1")};
constexpr Change<void(ProductId, std::int64_t)> sell_units{sum_by_key(
    "update stock set on_hand = on_hand - $2, reserved = reserved - $2, sold = sold + $2 "
    "where product_id = $1")};
constexpr Change<void(ProductId, std::int64_t)> return_units{sum_by_key(
    "update stock set on_hand = on_hand + $2, returned = returned + $2 where product_id = $1")};

void record_adjustment(SqlTransaction& transaction, ProductId id, std::int64_t delta,
                       const std::string& reason) {
  transaction.run(insert_adjustment, AdjustmentId::make(), id, delta, reason, freehold::now());
}

bool is_given_back(const Reservation& reservation) {
  return reservation.state == ReservationState::released ||
         reservation.state == ReservationState::returned;
}

void change_each(SqlTransaction& transaction, const std::vector<Line>& lines,
                 const Change<void(ProductId, std::int64_t)>& change) {
  for (const Line& line : lines)
    transaction.run(change, line.product_id, std::int64_t{line.quantity});
}

freehold::Result<> check_offer(const std::optional<Offer>& offer, std::int64_t quantity) {
  if (!offer) return errors::unknown_product;
  if (offer->withdrawn) return errors::product_withdrawn;
  if (offer->available < quantity) return errors::out_of_stock;
  return {};
}

// A refusal is final, so it looks again, for what may have been given back meanwhile.
freehold::Result<> check_offers(SqlTransaction& transaction, const std::vector<Line>& lines) {
  for (const Line& line : lines) {
    if (check_offer(transaction.first(offer_of, line.product_id), line.quantity)) continue;
    FREEHOLD_TRY(check_offer(transaction.first(offer_now, line.product_id), line.quantity));
  }
  return {};
}

freehold::Result<> repeated(const Reservation& earlier) {
  if (is_given_back(earlier)) return errors::reservation_released;
  return {};
}

}  // namespace

std::optional<StockView> find_stock(SqlTransaction& transaction, ProductId id) {
  return transaction.first(stock_of, id);
}

void begin_stock(SqlTransaction& transaction, ProductId id, std::int64_t on_hand) {
  transaction.run(insert_stock, id, on_hand);
  record_adjustment(transaction, id, on_hand, "initial stock");
}

freehold::Result<> adjust(SqlTransaction& transaction, ProductId id, std::int64_t delta,
                          const std::string& reason) {
  const auto stock = transaction.first(stock_to_adjust, id);
  if (!stock) return errors::unknown_product;
  if (stock->on_hand + delta < stock->reserved) return errors::stock_below_reserved;
  if (stock->on_hand + delta > stock_max) return errors::malformed_adjustment;
  transaction.run(add_stock, id, delta);
  record_adjustment(transaction, id, delta, reason);
  return {};
}

// Each line is reserved only if there is still enough of it, whatever was read here. All lines are
// looked at before the first is written, so a refusal costs its neighbours nothing. That a command
// came before is found out where it counts: when it is refused, or its row is there.
freehold::Result<> hold(SqlTransaction& transaction, ReservationId id,
                        const std::vector<Line>& lines) {
  if (transaction.is_looked_at()) {
    transaction.foresee(reservation_of, id);
    for (const Line& line : lines) transaction.foresee(offer_of, line.product_id);
    return {};
  }
  if (const auto offered = check_offers(transaction, lines); !offered) {
    const auto earlier = transaction.first(reservation_of, id);
    return earlier ? repeated(*earlier) : offered;
  }
  if (!transaction.changes_one(insert_reservation, id, ReservationState::held, lines))
    return repeated(transaction.first(reservation_of, id).value());
  for (const Line& line : lines)
    transaction.require(errors::out_of_stock, reserve_units, line.product_id,
                        std::int64_t{line.quantity});
  return {};
}

bool release(SqlTransaction& transaction, ReservationId id) {
  const freehold::Time now = freehold::now();
  transaction.run(forget_released, now - released_kept);
  const auto reservation = transaction.first(reservation_of, id);
  if (!reservation) {
    transaction.run(insert_tombstone, id, now);
    return false;
  }
  if (is_given_back(*reservation)) return false;
  const bool was_held = reservation->state == ReservationState::held;
  const auto& give_back =
      FREEHOLD_PLANTED_BUG("stock.return_not_counted") ? add_stock : return_units;
  if (!FREEHOLD_PLANTED_BUG("stock.release_forgets_units"))
    change_each(transaction, reservation->lines, was_held ? unreserve_units : give_back);
  transaction.run(set_given_back, id,
                  was_held ? ReservationState::released : ReservationState::returned, now);
  return true;
}

std::vector<StateOfReservation> reservations(SqlTransaction& transaction,
                                             std::optional<ReservationId> after, std::size_t most) {
  return transaction.page(reservations_after, {.rows = most}, after).rows;
}

void sell(SqlTransaction& transaction, ReservationId id) {
  const auto reservation = transaction.first(reservation_of, id);
  if (!reservation || reservation->state == ReservationState::released)
    throw std::runtime_error("reservation " + id.text() + " is to be sold but nothing is held");
  if (reservation->state != ReservationState::held) return;
  change_each(transaction, reservation->lines, sell_units);
  transaction.run(set_sold, id);
}

}  // namespace product
