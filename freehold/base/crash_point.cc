// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/crash_point.h"

#include <atomic>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <set>
#include <string>

namespace freehold {
namespace {

std::set<std::string_view>& known() {
  static std::set<std::string_view> names;
  return names;
}

// Where this process shall die, from FREEHOLD_CRASH_AT.
struct Target {
  std::string name;
  std::atomic<int> visits_left = 1;

  Target() {
    const char* text = std::getenv("FREEHOLD_CRASH_AT");  // NOLINT(concurrency-mt-unsafe): at start
    if (!text) return;
    name = text;
    if (const auto colon = name.rfind(':'); colon != std::string::npos) {
      int visits = 1;
      std::from_chars(name.data() + colon + 1, name.data() + name.size(), visits);
      visits_left = visits;
      name.resize(colon);
    }
  }
};

std::atomic<CrashPointHook> hook = nullptr;

}  // namespace

std::vector<std::string_view> crash_points() {
  return {known().begin(), known().end()};
}

void install_crash_point_hook(CrashPointHook to) {
  hook = to;
}

namespace internal {

bool add_crash_point(const char* name) {
  return known().insert(name).second;
}

void reach_crash_point(const char* name) {
  static Target target;
  if (const CrashPointHook called = hook.load(std::memory_order_relaxed)) called(name);
  if (target.name == name && target.visits_left.fetch_sub(1) == 1) std::raise(SIGKILL);
}

}  // namespace internal
}  // namespace freehold
