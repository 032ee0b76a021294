// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/planted_bug.h"

#ifdef FREEHOLD_TESTING
#include <atomic>
#include <charconv>
#include <cstdlib>
#include <string>

namespace freehold::internal {
namespace {

// Which bug this process has, from FREEHOLD_PLANTED_BUG.
struct Planted {
  std::string name;
  unsigned every = 1;
  std::atomic<unsigned> asked = 0;

  Planted() {
    const char* text = std::getenv("FREEHOLD_PLANTED_BUG");  // NOLINT(concurrency-mt-unsafe)
    if (!text) return;
    name = text;
    if (const auto colon = name.rfind(':'); colon != std::string::npos) {
      std::from_chars(name.data() + colon + 1, name.data() + name.size(), every);
      name.resize(colon);
    }
  }
};

}  // namespace

bool has_planted_bug(const char* name) {
  static Planted planted;
  return planted.name == name && ++planted.asked % planted.every == 0;
}

}  // namespace freehold::internal
#endif
