// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: a clock that a test moves, and a directory that goes when the test ends.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"

namespace freehold::identity::internal {

// The clock in force while it lives. Stands at 2026-11-22T16:00:00Z until it is moved.
class StandingClock final : public Clock {
 public:
  StandingClock() { Clock::install(this); }
  ~StandingClock() override { Clock::install(nullptr); }

  Time now() const override { return now_; }
  std::chrono::nanoseconds since_start() const override {
    return now_ - Time{std::chrono::seconds{1'795'363'200}};
  }
  void pass(std::chrono::microseconds time) { now_ += time; }

 private:
  Time now_{std::chrono::seconds{1'795'363'200}};
};

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = std::filesystem::temp_directory_path() / "freehold_identity_XXXXXX";
    FREEHOLD_ASSERT(::mkdtemp(name.data()) != nullptr, "a temporary directory");
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  std::filesystem::path operator/(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

inline std::string content_of(const std::filesystem::path& path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

inline unsigned mode_of(const std::filesystem::path& path) {
  return static_cast<unsigned>(std::filesystem::status(path).permissions());
}

}  // namespace freehold::identity::internal
