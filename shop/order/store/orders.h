// SPDX-License-Identifier: Apache-2.0
//
// Orders in the database: the one place that changes their status.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/database/transaction.h"
#include "shop/order/domain/order.h"

namespace order {

void insert(freehold::SqlTransaction& transaction, const Order& order,
            const freehold::RawJson& delivery_address);

std::optional<Order> find(freehold::SqlTransaction& transaction, OrderId id);

// Orders before `before`, newest first, without addresses: of one customer, or all.
freehold::Page<Order> page(freehold::SqlTransaction& transaction,
                           std::optional<user::UserId> customer, std::optional<OrderId> before,
                           freehold::PageLimits limits);

// The four changes of status. Each has its effect once: a repeat finds it done and changes nothing.
// pending → confirmed. Refused: cancellation_asked; then nothing changes.
freehold::Result<> confirm(freehold::SqlTransaction& transaction, OrderId id);
// pending → rejected, for the reason of that error name.
void reject(freehold::SqlTransaction& transaction, OrderId id, std::string_view reason);
// pending | confirmed → cancelled.
void cancel(freehold::SqlTransaction& transaction, OrderId id);
// Notes that the customer wants the order cancelled, and returns what it is now: a pending one sees
// the note when it is to be confirmed, for this transaction holds its row. Refused:
// already_rejected.
freehold::Result<Status> ask_cancellation(freehold::SqlTransaction& transaction, OrderId id);

// What an order has come to with its reservation. Under way: a saga is at work on it.
enum class Claim { under_way, confirmed, rejected, cancelled };
BOOST_DESCRIBE_ENUM(Claim, under_way, confirmed, rejected, cancelled)
struct Claimant {
  OrderId id;
  Claim claim = Claim::under_way;
};
BOOST_DESCRIBE_STRUCT(Claimant, (), (id, claim))
// Orders behind `after`, by id, at most so many.
std::vector<Claimant> claimants(freehold::SqlTransaction& transaction, std::optional<OrderId> after,
                                std::size_t most);
std::optional<Claim> claim_of(freehold::SqlTransaction& transaction, OrderId id);

// Empties what is personal in all orders of this customer, and takes no more of them; a repeat
// changes nothing.
void forget_customer(freehold::SqlTransaction& transaction, user::UserId customer);
// Refused: freehold::errors::unauthenticated, when this customer was forgotten.
freehold::Result<> check_not_forgotten(freehold::SqlTransaction& transaction,
                                       user::UserId customer);

}  // namespace order
