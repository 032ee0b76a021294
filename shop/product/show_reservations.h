// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "freehold/service/holdings.h"

namespace product {

// The reservations, for the service that asked for them and compares: freehold::Holdings.
freehold::Result<std::vector<freehold::Holding>> show_reservations(
    freehold::SqlTransaction& transaction, std::string_view after, std::size_t most);

}  // namespace product
