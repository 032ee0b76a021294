// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "freehold/base/result.h"
#include "freehold/database/database.h"
#include "freehold/schema/described.h"

namespace freehold {

// What the owner of a family of state events says of all of them at this place of its log: a
// replica that has applied everything before it holds as many subjects, and their versions have the
// same sum.
struct StateCheckpoint {
  std::string family;
  std::int64_t subjects = 0;
  std::int64_t versions = 0;

  static constexpr std::string_view type = "freehold.state_checkpoint.v1";
  static constexpr auto subject = &StateCheckpoint::family;
};
BOOST_DESCRIBE_STRUCT(StateCheckpoint, (), (family, subjects, versions))

// Appends a checkpoint of the family, in a batch of its own: no state lies between what was counted
// and the checkpoint's place. Reads every state of the family and waits for the commit, so it is
// for a thread that may block. Does nothing where the log has several partitions, for no place
// speaks of all of them. Fails as Database::write_now.
Result<> append_state_checkpoint(Database& database, const std::string& family);

}  // namespace freehold
