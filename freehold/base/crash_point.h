// SPDX-License-Identifier: Apache-2.0
//
// A crash point names a place where the process may die, and lets a test kill it exactly there:
//
//   FREEHOLD_CRASH_POINT("log.after_append");
//
// In test builds the environment variable FREEHOLD_CRASH_AT=NAME[:N] makes the process kill itself
// with SIGKILL when it reaches that place for the Nth time (default: first). All points of a binary
// are known before main() runs (crash_points(); `--list-crash-points`), so a test can fail when one
// was never reached. In release builds a crash point compiles to nothing.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace freehold {

std::vector<std::string_view> crash_points();  // sorted; empty in a release build

// A test in this process can be told instead of killed: called at each crash point with its name.
// nullptr: nobody is. What it throws leaves the crash point, as if the code there had failed.
using CrashPointHook = void (*)(std::string_view name);
void install_crash_point_hook(CrashPointHook hook);

namespace internal {

template <std::size_t N>
struct CrashPointName {
  constexpr CrashPointName(const char (&text)[N]) { std::copy_n(text, N, characters); }  // NOLINT
  char characters[N];
};

bool add_crash_point(const char* name);
void reach_crash_point(const char* name);

template <CrashPointName Name>
struct CrashPoint {
  static inline const bool listed = add_crash_point(Name.characters);
};

}  // namespace internal
}  // namespace freehold

#ifdef FREEHOLD_TESTING
#define FREEHOLD_CRASH_POINT(name)                        \
  do {                                                    \
    (void)::freehold::internal::CrashPoint<name>::listed; \
    ::freehold::internal::reach_crash_point(name);        \
  } while (false)
#else
#define FREEHOLD_CRASH_POINT(name) static_cast<void>(0)
#endif
