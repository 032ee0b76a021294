// SPDX-License-Identifier: Apache-2.0
#include "shop/order/domain/order.h"

#include <algorithm>

namespace order {
namespace {

freehold::Error malformed_line(std::size_t index, std::string_view why) {
  return {errors::malformed_order, "lines[" + std::to_string(index) + "]." + std::string{why}};
}

// What a line costs at the price of `product`.
freehold::Result<OrderLine> priced_line(const product::Line& line, const ProductRow& product) {
  if (product.sale == product::Sale::withdrawn) return product::errors::product_withdrawn;
  const auto total = money::times(product.price, line.quantity);
  if (!total) return errors::total_too_large;
  return OrderLine{line.product_id,     product.name,   line.quantity, product.price.amount_minor,
                   total->amount_minor, product.version};
}

}  // namespace

freehold::Result<std::vector<product::Line>> merged(const std::vector<product::Line>& lines) {
  if (lines.empty() || lines.size() > lines_max)
    return freehold::Error{errors::malformed_order,
                           "lines: 1 to " + std::to_string(lines_max) + " of them"};
  std::vector<product::Line> sums;
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const product::Line& line = lines[i];
    if (line.product_id.is_nil()) return malformed_line(i, "product_id: not a product's id");
    const auto same = std::ranges::find(sums, line.product_id, &product::Line::product_id);
    const int before = same == sums.end() ? 0 : same->quantity;
    if (line.quantity < 1 || line.quantity > quantity_max - before)
      return malformed_line(i, "quantity: 1 to " + std::to_string(quantity_max));
    if (same == sums.end())
      sums.push_back(line);
    else
      same->quantity += line.quantity;
  }
  return sums;
}

freehold::Result<> check_address(const freehold::RawJson& address) {
  const bool text_or_object = address.text.starts_with('"') || address.text.starts_with('{');
  const bool empty = address.text == "\"\"" || address.text == "{}";
  if (!text_or_object || empty || address.text.size() > address_bytes_max)
    return freehold::Error{errors::malformed_order,
                           "delivery_address: a text or an object of at most " +
                               std::to_string(address_bytes_max) + " bytes"};
  return {};
}

Order settled(Order order, const Settlement& settlement) {
  order.status = settlement.status;
  order.reason = settlement.reason;
  order.history.push_back({settlement.status, settlement.at});
  return order;
}

freehold::Result<Order> priced(user::UserId customer, const std::vector<product::Line>& lines,
                               const std::vector<ProductRow>& products) {
  FREEHOLD_TRY(const auto sums, merged(lines));
  Order order{.id = OrderId::make(),
              .customer_id = customer,
              .reason = nullptr,
              .placed_at = freehold::now()};
  for (const product::Line& line : sums) {
    const auto product = std::ranges::find(products, line.product_id, &ProductRow::id);
    if (product == products.end())
      return freehold::Error{product::errors::unknown_product, line.product_id.text()};
    FREEHOLD_TRY(auto line_with_price, priced_line(line, *product));
    const money::Money cost{line_with_price.line_total_minor, product->price.currency};
    if (order.lines.empty()) {
      order.total = cost;
    } else {
      auto sum = money::plus(order.total, cost);
      if (!sum)
        return sum.error().is(money::errors::mixed_currencies) ? errors::mixed_currencies
                                                               : errors::total_too_large;
      order.total = *std::move(sum);
    }
    order.lines.push_back(std::move(line_with_price));
  }
  order.history = {{Status::pending, order.placed_at}};
  return order;
}

}  // namespace order
