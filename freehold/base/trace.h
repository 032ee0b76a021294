// SPDX-License-Identifier: Apache-2.0
//
// W3C Trace Context: which request of the outside world a piece of work belongs to. It travels in
// the header `traceparent` of HTTP and in the attribute `traceparent` of events:
//
//   traceparent = "00-" 32 hex digits (trace) "-" 16 hex digits (span) "-" 2 hex digits (flags)
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "freehold/base/result.h"

namespace freehold {

struct Trace {
  std::array<std::uint8_t, 16> trace_id{};  // of the whole
  std::array<std::uint8_t, 8> span_id{};    // of this piece of work
  bool sampled = true;

  static Trace start();  // a new trace with its first span
  Trace child() const;   // a new span of the same trace

  std::string text() const;        // as a traceparent
  std::string trace_text() const;  // 32 hex digits: what records show

  // Refused: malformed; also a trace or span of zeros only, and the version ff.
  static Result<Trace> from_text(std::string_view traceparent);

  friend bool operator==(const Trace&, const Trace&) = default;
};

}  // namespace freehold
