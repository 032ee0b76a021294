// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/internal/resting_memory.h"

#include <cstddef>

#include "freehold/base/assert.h"

// jemalloc's (https://jemalloc.net/jemalloc.3.html#mallctl); null in a program without it.
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old_value, std::size_t* old_size,
                                     void* new_value, std::size_t new_size);

namespace freehold {
namespace {

template <typename Value>
void set(const char* name, Value value) {
  FREEHOLD_ASSERT(mallctl(name, nullptr, nullptr, &value, sizeof value) == 0, name);
}

}  // namespace

void give_back_unused_memory() {
  if (mallctl == nullptr) return;
  constexpr std::ptrdiff_t unused_ms = 1000;
  set("arenas.dirty_decay_ms", unused_ms);   // of those that threads will make
  set("arena.0.dirty_decay_ms", unused_ms);  // of the one that the first thread has made
  set("max_background_threads", std::size_t{1});
  set("background_thread", true);
}

}  // namespace freehold
