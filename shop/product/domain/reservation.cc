// SPDX-License-Identifier: Apache-2.0
#include "shop/product/domain/reservation.h"

#include <algorithm>

#include "shop/product/domain/catalogue.h"

namespace product {

freehold::Result<std::vector<Line>> merged(std::vector<Line> lines) {
  if (lines.empty()) return errors::malformed_quantity;
  std::ranges::sort(lines, {}, &Line::product_id);
  std::vector<Line> sums;
  for (const Line& line : lines) {
    if (line.quantity < 1 || line.quantity > quantity_max) return errors::malformed_quantity;
    if (!sums.empty() && sums.back().product_id == line.product_id) {
      sums.back().quantity += line.quantity;
      if (sums.back().quantity > quantity_max) return errors::malformed_quantity;
    } else {
      sums.push_back(line);
    }
  }
  return sums;
}

}  // namespace product
