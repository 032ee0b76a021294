// SPDX-License-Identifier: Apache-2.0
#include "shop/order/forget_customer.h"

#include "shop/order/store/orders.h"

namespace order {

freehold::Consumer forgetting_customers() {
  return freehold::Consumer{"forget_customer", "user"}.on<user::UserErased>(
      [](freehold::SqlTransaction& transaction, const user::UserErased& erased,
         const freehold::Delivery&) { forget_customer(transaction, erased.id); });
}

}  // namespace order
