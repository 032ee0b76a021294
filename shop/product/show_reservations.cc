// SPDX-License-Identifier: Apache-2.0
#include "shop/product/show_reservations.h"

#include <optional>
#include <string>

#include "shop/product/store/stock.h"

namespace product {

freehold::Result<std::vector<freehold::Holding>> show_reservations(
    freehold::SqlTransaction& transaction, std::string_view after, std::size_t most) {
  std::optional<ReservationId> behind;
  if (!after.empty()) {
    FREEHOLD_TRY(behind, ReservationId::from_text(after));
  }
  std::vector<freehold::Holding> shown;
  for (const StateOfReservation& each : reservations(transaction, behind, most))
    shown.push_back({each.id.text(), std::string{freehold::to_name(each.state)}});
  return shown;
}

}  // namespace product
