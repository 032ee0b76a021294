// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/service/reconciliation.h"

namespace order {

// The reservations that the product service holds for orders, compared with the orders: what
// `order reconcile product` does after one of the two services was restored.
//
//   order                      reservation         what is done
//   none, rejected, cancelled  held or sold        given back
//   confirmed                  none                reserved and sold again
//   confirmed                  held                sold
//   confirmed                  given back          the order is cancelled: its customer had asked
//   under way                  any                 nothing: its saga brings it to its end
freehold::Reconciliation reservations_at_product();

}  // namespace order
