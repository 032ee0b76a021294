// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/replica/held_replica.h"
#include "freehold/replica/replica.h"
#include "shop/order/domain/order.h"

namespace order {

// This service's copy of the catalogue: names and prices at hand whatever the product service does.
inline constexpr freehold::Replica<product::ProductState, ProductRow> product_replica{
    "product_replica"};

// The same with its rows in memory: every order asks for names and prices.
using ProductsAtHand = freehold::HeldReplica<product::ProductState, ProductRow>;

}  // namespace order
