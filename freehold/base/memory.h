// SPDX-License-Identifier: Apache-2.0
//
// What the allocator does with memory that is not in use, where it is jemalloc: in the services'
// programs. With another one (most tests, sanitizers) all here does nothing.
#pragma once

#include <optional>

namespace freehold {

// From now on memory that lay unused for a second goes back to the kernel, also in a process that
// does nothing any more: jemalloc by itself looks at that only while memory is asked for, so after
// a peak a service at rest would keep some megabytes. Under load pages are used again before that.
// Starts a thread of the allocator's: to be called after confine(), since threads that run already
// stay unconfined. If the allocator refuses, that is on record, and memory is kept. KeptMemory is
// left out of it.
void give_back_unused_memory();

// For a thread that asks for much memory again and again: what it has freed stays its own, where it
// would go back to the kernel at once (8 MiB and more) or within a second, and be fetched from
// there anew. Built by that thread, once, and used by it. Its end gives back as well, but the place
// for it, of which jemalloc has some thousands, stays: for threads that live as long as the
// process.
class KeptMemory {
 public:
  KeptMemory();  // if the allocator refuses, that is on record, and nothing is kept
  KeptMemory(const KeptMemory&) = delete;
  KeptMemory& operator=(const KeptMemory&) = delete;
  ~KeptMemory();

  // All that is unused, but for small pieces, goes back to the kernel now.
  void give_back();

 private:
  std::optional<unsigned> arena_;
};

}  // namespace freehold
