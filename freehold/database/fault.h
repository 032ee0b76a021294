// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

#include "freehold/base/error.h"

namespace freehold {

// The database or its environment failed under a statement. Drivers throw it through bodies; the
// lane and read_now turn it into an Error. A body does not catch it: its transaction may be gone.
class DatabaseFault : public std::runtime_error {
 public:
  // `code`: database_unavailable, disk_full, read_too_long, commit_unknown, or internal for a
  // statement that broke a constraint.
  DatabaseFault(const ErrorCode& code, const std::string& what)
      : std::runtime_error(what), code_(&code) {}

  const ErrorCode& code() const { return *code_; }
  Error error() const { return {*code_, what()}; }

 private:
  const ErrorCode* code_;
};

}  // namespace freehold
