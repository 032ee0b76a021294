// SPDX-License-Identifier: Apache-2.0
#include "shop/order/store/orders.h"

#include <stdexcept>
#include <utility>

#include "freehold/base/errors.h"

namespace order {
namespace {

using freehold::SqlTransaction;
using freehold::Time;
using freehold::sql::by_key;
using freehold::sql::Change;
using freehold::sql::Dialects;
using freehold::sql::locking;
using freehold::sql::Query;

struct OrderRow {
  OrderId id;
  user::UserId customer_id;
  Status status = Status::pending;
  std::optional<std::string> reason;
  std::vector<OrderLine> lines;
  money::Money total;
  std::optional<std::string> delivery_address;
  Time placed_at{};
  std::optional<Time> settled_at;
  std::optional<Time> cancelled_at;
};
BOOST_DESCRIBE_STRUCT(OrderRow, (),
                      (id, customer_id, status, reason, lines, total, delivery_address, placed_at,
                       settled_at, cancelled_at))

struct Progress {
  Status status = Status::pending;
  std::optional<Time> cancellation_asked_at;
};
BOOST_DESCRIBE_STRUCT(Progress, (), (status, cancellation_asked_at))

constexpr Change<void(OrderId, user::UserId, Status, std::vector<OrderLine>, std::int64_t,
                      std::string, std::string, Time)>
    insert_row{
        by_key("insert into customer_order (id, customer_id, status, lines, total_amount_minor, "
               "total_currency, delivery_address, placed_at) "
               "values ($1, $2, $3, $4, $5, $6, $7, $8)")};

constexpr Query<OrderRow(OrderId)> row_of{by_key(
    "select id, customer_id, status, reason, lines, total_amount_minor, total_currency, "
    "delivery_address, placed_at, settled_at, cancelled_at from customer_order where id = $1")};

// SQLite's index by customer ends in the number, so there the order is that of commits, not of ids.
// `before` may be nobody's: then from the first order behind it.
constexpr Query<OrderRow(user::UserId, std::optional<OrderId>)> rows_of_customer{
    Dialects{.sqlite = "select id, customer_id, status, reason, lines, total_amount_minor, "
                       "total_currency, null as delivery_address, placed_at, settled_at, "
                       "cancelled_at from customer_order where customer_id = $1 "
                       "and number < coalesce((select number from customer_order where id >= $2 "
                       "order by id limit 1), 9223372036854775807) "
                       "order by number desc",
             .postgres = "select id, customer_id, status, reason, lines, total_amount_minor, "
                         "total_currency, null as delivery_address, placed_at, settled_at, "
                         "cancelled_at from customer_order where customer_id = $1 "
                         "and id < coalesce($2, '\\xffffffffffffffffffffffffffffffff'::bytea) "
                         "order by id desc"}};

constexpr Query<OrderRow(std::optional<OrderId>)> rows_of_all{
    Dialects{.sqlite = "select id, customer_id, status, reason, lines, total_amount_minor, "
                       "total_currency, null as delivery_address, placed_at, settled_at, "
                       "cancelled_at from customer_order "
                       "where id < coalesce($1, x'ffffffffffffffffffffffffffffffff') "
                       "order by id desc",
             .postgres = "select id, customer_id, status, reason, lines, total_amount_minor, "
                         "total_currency, null as delivery_address, placed_at, settled_at, "
                         "cancelled_at from customer_order "
                         "where id < coalesce($1, '\\xffffffffffffffffffffffffffffffff'::bytea) "
                         "order by id desc"}};

constexpr Query<Progress(OrderId)> progress_of{by_key(
    locking("select status, cancellation_asked_at from customer_order where id = $1 for update"))};

constexpr Change<void(OrderId, Time)> confirm_pending{
    by_key("update customer_order set status = 'confirmed', settled_at = $2 "
           "where id = $1 and status = 'pending' and cancellation_asked_at is null")};

constexpr Query<Claimant(std::optional<OrderId>)> claimants_after{
    Dialects{.sqlite = "select id, case when status = 'pending' or "
                       "(status = 'confirmed' and cancellation_asked_at is not null) "
                       "then 'under_way' else status end as claim "
                       "from customer_order where id > coalesce($1, x'') order by id",
             .postgres = "select id, case when status = 'pending' or "
                         "(status = 'confirmed' and cancellation_asked_at is not null) "
                         "then 'under_way' else status end as claim "
                         "from customer_order where id > coalesce($1, '\\x'::bytea) order by id"}};
constexpr Query<Claimant(OrderId)> claimant{
    "select id, case when status = 'pending' or "
    "(status = 'confirmed' and cancellation_asked_at is not null) "
    "then 'under_way' else status end as claim from customer_order where id = $1"};

constexpr Change<void(OrderId, std::string, Time)> reject_pending{
    by_key("update customer_order set status = 'rejected', reason = $2, settled_at = $3 "
           "where id = $1 and status = 'pending'")};

constexpr Change<void(OrderId, Time)> set_cancelled{
    "update customer_order set status = 'cancelled', cancelled_at = $2 where id = $1"};

constexpr Change<void(OrderId, Time)> set_cancellation_asked{
    "update customer_order set cancellation_asked_at = $2 "
    "where id = $1 and cancellation_asked_at is null"};

constexpr Change<void(user::UserId)> empty_addresses{
    "update customer_order set delivery_address = null where customer_id = $1"};

constexpr Change<void(user::UserId)> insert_forgotten{
    "insert into forgotten_customer (id) values ($1) on conflict do nothing"};

constexpr Query<user::UserId(user::UserId)> forgotten{
    by_key("select id from forgotten_customer where id = $1")};

// Who places an order looks for a forgotten customer, who forgets one looks for orders: neither
// finds what the other has not committed yet. With several instances they wait for each other, held
// until the transaction's end: placements of one customer not for one another.
constexpr Change<void(user::UserId)> lock_placing{freehold::sql::lock_by_key(
    "select pg_advisory_xact_lock_shared(hashtextextended(encode($1, 'hex'), 0))")};
constexpr Change<void(user::UserId)> lock_forgetting{
    "select pg_advisory_xact_lock(hashtextextended(encode($1, 'hex'), 0))"};

void lock(SqlTransaction& transaction, const Change<void(user::UserId)>& how,
          user::UserId customer) {
  if (transaction.dialect() == freehold::sql::Dialect::postgres) transaction.run(how, customer);
}

Order from_row(OrderRow row) {
  Order order{.id = row.id,
              .customer_id = row.customer_id,
              .status = row.status,
              .reason = nullptr,
              .lines = std::move(row.lines),
              .total = std::move(row.total),
              .placed_at = row.placed_at,
              .history = {{Status::pending, row.placed_at}}};
  if (row.reason) order.reason = *std::move(row.reason);
  if (row.delivery_address)
    order.delivery_address = freehold::RawJson{*std::move(row.delivery_address)};
  if (row.settled_at)
    order.history.push_back(
        {row.status == Status::rejected ? Status::rejected : Status::confirmed, *row.settled_at});
  if (row.cancelled_at) order.history.push_back({Status::cancelled, *row.cancelled_at});
  return order;
}

// The order that a saga moves exists, for the saga was started by the transaction that placed it.
Progress progress(SqlTransaction& transaction, OrderId id) {
  const auto found = transaction.first(progress_of, id);
  if (!found) throw std::runtime_error("order " + id.text() + " is not there");
  return *found;
}

}  // namespace

void insert(SqlTransaction& transaction, const Order& order,
            const freehold::RawJson& delivery_address) {
  transaction.run(insert_row, order.id, order.customer_id, order.status, order.lines,
                  order.total.amount_minor, order.total.currency, delivery_address.text,
                  order.placed_at);
}

std::optional<Order> find(SqlTransaction& transaction, OrderId id) {
  auto row = transaction.first(row_of, id);
  if (!row) return std::nullopt;
  return from_row(*std::move(row));
}

freehold::Page<Order> page(SqlTransaction& transaction, std::optional<user::UserId> customer,
                           std::optional<OrderId> before, freehold::PageLimits limits) {
  auto found = customer ? transaction.page(rows_of_customer, limits, *customer, before)
                        : transaction.page(rows_of_all, limits, before);
  freehold::Page<Order> orders{.rows = {}, .is_last = found.is_last};
  orders.rows.reserve(found.rows.size());
  for (OrderRow& row : found.rows) orders.rows.push_back(from_row(std::move(row)));
  return orders;
}

freehold::Result<> confirm(SqlTransaction& transaction, OrderId id) {
  const Settlement confirmed{.status = Status::confirmed, .reason = nullptr, .at = freehold::now()};
  if (transaction.changes_one(confirm_pending, id, confirmed.at)) {
    transaction.changed(id.text(), confirmed);
    return {};
  }
  if (progress(transaction, id).status == Status::confirmed) return {};
  return errors::cancellation_asked;
}

void reject(SqlTransaction& transaction, OrderId id, std::string_view reason) {
  const Settlement rejected{
      .status = Status::rejected, .reason = std::string{reason}, .at = freehold::now()};
  if (transaction.changes_one(reject_pending, id, rejected.reason.value(), rejected.at))
    transaction.changed(id.text(), rejected);
}

void cancel(SqlTransaction& transaction, OrderId id) {
  const Status status = progress(transaction, id).status;
  if (status == Status::cancelled || status == Status::rejected) return;
  transaction.run(set_cancelled, id, freehold::now());
  transaction.changed(id.text());
}

freehold::Result<Status> ask_cancellation(SqlTransaction& transaction, OrderId id) {
  const Status status = progress(transaction, id).status;
  if (status == Status::rejected) return errors::already_rejected;
  transaction.run(set_cancellation_asked, id, freehold::now());
  return status;
}

std::vector<Claimant> claimants(SqlTransaction& transaction, std::optional<OrderId> after,
                                std::size_t most) {
  return transaction.page(claimants_after, {.rows = most}, after).rows;
}

std::optional<Claim> claim_of(SqlTransaction& transaction, OrderId id) {
  const auto found = transaction.first(claimant, id);
  if (!found) return std::nullopt;
  return found->claim;
}

void forget_customer(SqlTransaction& transaction, user::UserId customer) {
  lock(transaction, lock_forgetting, customer);
  transaction.run(empty_addresses, customer);
  transaction.erased();
  transaction.run(insert_forgotten, customer);
}

freehold::Result<> check_not_forgotten(SqlTransaction& transaction, user::UserId customer) {
  lock(transaction, lock_placing, customer);
  if (transaction.first(forgotten, customer)) return freehold::errors::unauthenticated;
  return {};
}

}  // namespace order
