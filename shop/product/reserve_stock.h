// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/events/commands.h"

namespace product {

// What other services ask of the stock: reserve, and then sell or release what was reserved.
void accept_stock_commands(freehold::Commands& commands);

}  // namespace product
