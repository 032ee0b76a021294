// SPDX-License-Identifier: Apache-2.0
#include "shop/order/reconcile_reservations.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "freehold/events/event.h"
#include "shop/order/cancel_order.h"
#include "shop/order/store/orders.h"
#include "shop/product/contract/product_contract.h"

namespace order {

using freehold::Holding, freehold::Remedy, freehold::Result, freehold::SqlTransaction;

namespace {

using State = std::optional<std::string>;
using Act = std::function<void(SqlTransaction&, OrderId)>;

Result<std::vector<Holding>> claims(SqlTransaction& transaction, std::string_view after,
                                    std::size_t most) {
  std::optional<OrderId> behind;
  if (!after.empty()) {
    FREEHOLD_TRY(behind, OrderId::from_text(after));
  }
  std::vector<Holding> all;
  for (const Claimant& each : claimants(transaction, behind, most))
    all.push_back({each.id.text(), std::string{freehold::to_name(each.claim)}});
  return all;
}

product::ReservationId reservation_of(OrderId id) {
  return {id.bytes};
}

void give_back_again(SqlTransaction& transaction, OrderId id) {
  freehold::send(transaction, product::ReleaseStock{reservation_of(id)});
}

void sell_again(SqlTransaction& transaction, OrderId id) {
  freehold::send(transaction, product::SellStock{reservation_of(id)});
}

// Where the units are gone meanwhile the product service refuses, and parks the command: a person
// there sees it.
void reserve_and_sell_again(SqlTransaction& transaction, OrderId id) {
  product::ReserveStock wanted{.reservation = reservation_of(id)};
  for (const OrderLine& line : find(transaction, id)->lines)
    wanted.lines.push_back({line.product_id, line.quantity});
  freehold::send(transaction, wanted);
  sell_again(transaction, id);
}

void cancel_after_all(SqlTransaction& transaction, OrderId id) {
  if (ask_cancellation(transaction, id)) cancel_order.start(transaction, id, {id});
}

// Acts if the order is still as it was when it was compared.
Remedy remedy(std::string sentence, OrderId id, std::optional<Claim> as_compared, Act act) {
  return {std::move(sentence),
          [id, as_compared, act = std::move(act)](SqlTransaction& transaction) -> Result<> {
            if (claim_of(transaction, id) == as_compared) act(transaction, id);
            return {};
          }};
}

std::optional<Remedy> judge(const std::string& key, const State& here, const State& there) {
  const auto known = OrderId::from_text(key);
  if (!known) return Remedy{"not an order's id", [](SqlTransaction&) -> Result<> { return {}; }};
  const OrderId id = *known;
  std::optional<Claim> claim;
  if (here) claim = freehold::from_name<Claim>(*here);
  if (claim == Claim::under_way) return std::nullopt;
  if (claim != Claim::confirmed) {
    if (there != "held" && there != "sold") return std::nullopt;
    return remedy("give it back", id, claim, give_back_again);
  }
  if (there == "sold") return std::nullopt;
  if (there == "held") return remedy("sell it", id, claim, sell_again);
  if (there == "released" || there == "returned")
    return remedy("cancel the order", id, claim, cancel_after_all);
  return remedy("reserve and sell it again", id, claim, reserve_and_sell_again);
}

}  // namespace

freehold::Reconciliation reservations_at_product() {
  return {.peer = "product", .what = "reservations", .here = claims, .judge = judge};
}

}  // namespace order
