// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "bench/plan.h"
#include "freehold/base/result.h"

namespace bench {

// Carries the plan out and says what came of it; returns when the last answer has come, or its
// deadline has. Refused: malformed, when the plan cannot be carried out.
//
// A closed loop has so many clients, each of which sends its next request when it has its answer:
// it finds the highest rate. An open loop sends each request at its own time, and its latency
// counts from then: it finds the latency at a rate.
freehold::Result<Report> run(const Plan& plan);

}  // namespace bench
