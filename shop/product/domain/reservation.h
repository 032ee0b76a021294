// SPDX-License-Identifier: Apache-2.0
//
// The rules of reserving; pure, without a database.
#pragma once

#include <vector>

#include "shop/product/contract/product_contract.h"

namespace product {

// The lines with those of one product added together, ordered by product. Refused:
// malformed_quantity, when a quantity (each, or together) is not 1 … quantity_max, or there is
// none.
freehold::Result<std::vector<Line>> merged(std::vector<Line> lines);

}  // namespace product
