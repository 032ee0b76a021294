// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace freehold::internal {

// From now on memory that lay unused for a second goes back to the kernel, also in a process that
// does nothing any more: jemalloc by itself looks at that only while memory is asked for, so after
// a peak a service at rest would keep some megabytes. Under load pages are used again before that.
// Starts a thread of the allocator's: to be called after confine(), since threads that run already
// stay unconfined. Does nothing with another allocator (most tests, sanitizers); if the allocator
// refuses, that is on record, and memory is kept.
void give_back_unused_memory();

}  // namespace freehold::internal
