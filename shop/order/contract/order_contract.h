// SPDX-License-Identifier: Apache-2.0
//
// What the order service promises to others: its ids, states and errors. It publishes no events;
// what it asks of the product service are that service's commands.
#pragma once

#include "freehold/base/id.h"
#include "freehold/base/result.h"
#include "freehold/schema/described.h"

namespace order {

#define FREEHOLD_ERRORS "shop/order/contract/errors.def"
#define FREEHOLD_ERRORS_SERVICE "order"
#include "freehold/base/define_errors.h"

struct OrderId : freehold::Id<OrderId> {};

// pending → confirmed | rejected | cancelled; confirmed → cancelled.
enum class Status { pending, confirmed, rejected, cancelled };
BOOST_DESCRIBE_ENUM(Status, pending, confirmed, rejected, cancelled)

}  // namespace order
