// SPDX-License-Identifier: Apache-2.0
#include "shop/product/reserve_stock.h"

#include "shop/product/domain/reservation.h"
#include "shop/product/store/stock.h"

namespace product {

using freehold::Delivery, freehold::Result, freehold::RowLocks, freehold::SqlTransaction;

namespace {

// A refusal is an answer: the toolkit undoes what the handler did and commits the refusal as the
// reply, with the cursor. Die before that commit: the command is read again. Die after: it is not.
Result<StockReserved> reserve(SqlTransaction& transaction, const ReserveStock& command,
                              const Delivery&) {
  FREEHOLD_TRY(const auto lines, merged(command.lines));
  FREEHOLD_TRY(hold(transaction, command.reservation, lines));
  return StockReserved{command.reservation};
}

Result<StockReleased> give_back(SqlTransaction& transaction, const ReleaseStock& command,
                                const Delivery&) {
  return StockReleased{command.reservation, release(transaction, command.reservation)};
}

Result<StockSold> turn_into_sold(SqlTransaction& transaction, const SellStock& command,
                                 const Delivery&) {
  sell(transaction, command.reservation);
  return StockSold{command.reservation};
}

void name_locks(RowLocks& locks, const ReserveStock& command) {
  for (const Line& line : command.lines) locks.add(stock_rows, line.product_id);
}

template <class OfReservation>
void name_locks(RowLocks& locks, const OfReservation& command) {
  locks.add(stock_rows, command.reservation);
}

}  // namespace

void accept_stock_commands(freehold::Commands& commands) {
  commands.on<ReserveStock>(reserve, name_locks)
      .on<ReleaseStock>(give_back, name_locks)
      .on<SellStock>(turn_into_sold, name_locks);
}

}  // namespace product
