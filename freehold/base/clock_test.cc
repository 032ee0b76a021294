// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/clock.h"

#include <gtest/gtest.h>

namespace freehold {
namespace {

TEST(Time, is_written_as_rfc_3339_and_read_back) {
  const Time time{std::chrono::microseconds{1'795'363'200'000'001}};
  EXPECT_EQ(to_text(time), "2026-11-22T16:00:00.000001Z");
  EXPECT_EQ(time_from_text(to_text(time)).value(), time);
  EXPECT_EQ(time_from_text("2026-11-22T16:00:00Z").value() + std::chrono::microseconds{1}, time);
}

TEST(Time, malformed_text_is_refused) {
  for (const char* text : {"", "2026-11-22", "2026-13-22T16:00:00Z", "2026-02-30T16:00:00Z",
                           "2026-11-22T24:00:00Z", "2026-11-22T16:00:00", "2026-11-22T16:00:00.Z",
                           "2026-11-22T16:00:00.0000001Z", "2026-11-22 16:00:00Z"})
    EXPECT_FALSE(time_from_text(text)) << text;
}

class StandingClock final : public Clock {
 public:
  Time now() const override { return Time{std::chrono::microseconds{42}}; }
  std::chrono::nanoseconds since_start() const override { return std::chrono::nanoseconds{7}; }
};

TEST(Clock, an_installed_clock_is_the_one_in_force) {
  StandingClock standing;
  Clock::install(&standing);
  EXPECT_EQ(now(), Time{std::chrono::microseconds{42}});
  EXPECT_EQ(SteadyClock::now().time_since_epoch().count(), 7);
  Clock::install(nullptr);
  EXPECT_GT(now(), Time{std::chrono::microseconds{42}});
}

}  // namespace
}  // namespace freehold
