// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

#include "freehold/base/result.h"
#include "freehold/schema/described.h"

namespace money {

#define FREEHOLD_ERRORS "shop/money/errors.def"
#define FREEHOLD_ERRORS_SERVICE "money"
#include "freehold/base/define_errors.h"

// An amount in the smallest unit of its currency: 1999 EUR is € 19.99. It has no operators: sums
// and products can overflow or mix currencies, for both come from outside, so they return Results.
struct Money {
  std::int64_t amount_minor = 0;
  std::string currency;  // ISO 4217: "EUR"

  friend bool operator==(const Money&, const Money&) = default;
};
BOOST_DESCRIBE_STRUCT(Money, (), (amount_minor, currency))

// Refused: negative_amount, malformed_currency.
freehold::Result<> check(const Money& money);

// Refused: mixed_currencies, amount_too_large.
freehold::Result<Money> plus(const Money& a, const Money& b);

// Refused: amount_too_large.
freehold::Result<Money> times(const Money& money, int quantity);

}  // namespace money
