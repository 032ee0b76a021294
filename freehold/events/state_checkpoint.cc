// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/state_checkpoint.h"

#include "freehold/events/event.h"

namespace freehold {

Result<> append_state_checkpoint(Database& database, const std::string& family) {
  return database.write_now([&family](SqlTransaction& transaction) -> Result<> {
    if (transaction.books().log().partitions > 1) return {};
    transaction.books().lock_head(0);
    const StateSum sum = transaction.books().sum_of_states(family);
    append(transaction, StateCheckpoint{family, sum.subjects, sum.versions});
    return {};
  });
}

}  // namespace freehold
