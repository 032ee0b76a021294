// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/trace.h"

#include <gtest/gtest.h>

namespace freehold {
namespace {

constexpr std::string_view example = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(Trace, is_written_as_a_traceparent_and_read_back) {
  const Trace trace = Trace::from_text(example).value();
  EXPECT_EQ(trace.text(), example);
  EXPECT_EQ(trace.trace_text(), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_TRUE(trace.sampled);
  const Trace started = Trace::start();
  EXPECT_EQ(Trace::from_text(started.text()).value(), started);
}

TEST(Trace, a_child_has_the_same_trace_and_a_span_of_its_own) {
  const Trace trace = Trace::start();
  EXPECT_EQ(trace.child().trace_id, trace.trace_id);
  EXPECT_NE(trace.child().span_id, trace.span_id);
}

TEST(Trace, what_is_no_traceparent_is_refused) {
  for (const char* text : {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
                           "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
                           "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
                           "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                           "00-4BF92F3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
                           "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x"})
    EXPECT_FALSE(Trace::from_text(text)) << text;
  EXPECT_TRUE(Trace::from_text("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00-more"));
}

}  // namespace
}  // namespace freehold
