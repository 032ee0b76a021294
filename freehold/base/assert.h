// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace freehold {

// Prints where, what and why to standard error, then aborts. A bug in this program stops it at
// once: what is committed is safe, and the restart goes on from there.
[[noreturn]] void assertion_failed(const char* file, int line, const char* condition,
                                   const char* why);

}  // namespace freehold

// States what cannot be false unless this program has a bug. Always on. Never on data from outside:
// that is refused with a Result.
#define FREEHOLD_ASSERT(condition, why) \
  (static_cast<bool>(condition)         \
       ? static_cast<void>(0)           \
       : ::freehold::assertion_failed(__FILE__, __LINE__, #condition, why))
