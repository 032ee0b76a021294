// SPDX-License-Identifier: Apache-2.0
#include "shop/money/money.h"

#include <algorithm>

namespace money {

freehold::Result<> check(const Money& money) {
  if (money.amount_minor < 0) return errors::negative_amount;
  const bool capitals =
      std::ranges::all_of(money.currency, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (money.currency.size() != 3 || !capitals) return errors::malformed_currency;
  return {};
}

freehold::Result<Money> plus(const Money& a, const Money& b) {
  if (a.currency != b.currency) return errors::mixed_currencies;
  Money sum{0, a.currency};
  if (__builtin_add_overflow(a.amount_minor, b.amount_minor, &sum.amount_minor))
    return errors::amount_too_large;
  return sum;
}

freehold::Result<Money> times(const Money& money, int quantity) {
  Money product{0, money.currency};
  if (__builtin_mul_overflow(money.amount_minor, quantity, &product.amount_minor))
    return errors::amount_too_large;
  return product;
}

}  // namespace money
