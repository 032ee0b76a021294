// SPDX-License-Identifier: Apache-2.0
//
// A planted bug shows that a test can see one. It is a condition beside the right code:
//
//   if (!FREEHOLD_PLANTED_BUG("answers.not_stored")) store(answer);
//
// In test builds the environment variable FREEHOLD_PLANTED_BUG=NAME[:N] turns one on, at every Nth
// time that it is asked for (default: each). In release builds it is the constant false. For any
// thread.
#pragma once

#ifdef FREEHOLD_TESTING
namespace freehold::internal {
bool has_planted_bug(const char* name);
}
#define FREEHOLD_PLANTED_BUG(name) ::freehold::internal::has_planted_bug(name)
#else
#define FREEHOLD_PLANTED_BUG(name) false
#endif
