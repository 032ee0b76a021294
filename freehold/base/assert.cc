// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace freehold {

void assertion_failed(const char* file, int line, const char* condition, const char* why) {
  std::fprintf(stderr, "%s:%d: a bug: %s: %s\n", file, line, condition, why);
  std::abort();
}

}  // namespace freehold
