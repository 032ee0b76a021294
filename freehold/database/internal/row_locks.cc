// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/row_locks.h"

#include "freehold/base/assert.h"

namespace freehold {

void RowLocks::Keys::null(int) {
  FREEHOLD_ASSERT(false, "a row has a key");
}

void RowLocks::Keys::integer(int, std::int64_t value) {
  integers.insert(value);
}

void RowLocks::Keys::real(int, double) {
  FREEHOLD_ASSERT(false, "a fraction is no key");
}

void RowLocks::Keys::text(int, std::string_view value) {
  bytes.emplace(value);
}

void RowLocks::Keys::blob(int, std::span<const std::uint8_t> value) {
  bytes.emplace(value.begin(), value.end());
}

}  // namespace freehold
