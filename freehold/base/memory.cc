// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/memory.h"

#include <cstddef>
#include <string>

#include "freehold/base/record.h"

// jemalloc's (https://jemalloc.net/jemalloc.3.html#mallctl); null in a program without it.
extern "C" [[gnu::weak]] int mallctl(const char* name, void* old_value, std::size_t* old_size,
                                     void* new_value, std::size_t new_size);

namespace freehold {
namespace {

template <typename Value>
bool set(const std::string& name, Value value) {
  return mallctl(name.c_str(), nullptr, nullptr, &value, sizeof value) == 0;
}

std::string of_arena(unsigned arena, const char* name) {
  return "arena." + std::to_string(arena) + "." + name;
}

}  // namespace

void give_back_unused_memory() {
  if (mallctl == nullptr) return;
  constexpr std::ptrdiff_t unused_ms = 1000;
  const bool is_done = set("arenas.dirty_decay_ms", unused_ms) &&        // of later threads
                       set(of_arena(0, "dirty_decay_ms"), unused_ms) &&  // of the first one
                       set("max_background_threads", std::size_t{1}) &&
                       set("background_thread", true);
  if (!is_done) record(Severity::warning, "unused memory is kept: the allocator refused");
}

KeptMemory::KeptMemory() {
  if (mallctl == nullptr) return;
  constexpr std::ptrdiff_t never = -1;
  unsigned arena = 0;
  std::size_t size = sizeof arena;
  if (mallctl("arenas.create", &arena, &size, nullptr, 0) == 0 &&
      set(of_arena(arena, "dirty_decay_ms"), never) && set("thread.arena", arena))
    arena_ = arena;
  else
    record(Severity::warning, "unused memory is given back: the allocator refused");
}

KeptMemory::~KeptMemory() {
  give_back();
}

void KeptMemory::give_back() {
  if (!arena_) return;
  mallctl(of_arena(*arena_, "purge").c_str(), nullptr, nullptr, nullptr, 0);
}

}  // namespace freehold
