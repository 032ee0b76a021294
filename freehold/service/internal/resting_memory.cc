// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/internal/resting_memory.h"

#include <cstddef>

#include "freehold/base/record.h"

// jemalloc's (https://jemalloc.net/jemalloc.3.html#mallctl); null in a program without it.
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old_value, std::size_t* old_size,
                                     void* new_value, std::size_t new_size);

namespace freehold::internal {
namespace {

template <typename Value>
bool set(const char* name, Value value) {
  return mallctl(name, nullptr, nullptr, &value, sizeof value) == 0;
}

}  // namespace

void give_back_unused_memory() {
  if (mallctl == nullptr) return;
  constexpr std::ptrdiff_t unused_ms = 1000;
  const bool is_done = set("arenas.dirty_decay_ms", unused_ms) &&   // of those of later threads
                       set("arena.0.dirty_decay_ms", unused_ms) &&  // of the first thread's
                       set("max_background_threads", std::size_t{1}) &&
                       set("background_thread", true);
  if (!is_done) record(Severity::warning, "unused memory is kept: the allocator refused");
}

}  // namespace freehold::internal
