// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/events/consumer.h"

namespace order {

// Reads who wants to be forgotten, and empties what is personal in their orders.
freehold::Consumer forgetting_customers();

}  // namespace order
