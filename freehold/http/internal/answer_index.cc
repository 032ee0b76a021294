// SPDX-License-Identifier: Apache-2.0
//
// Tables with linear probing. No slot is freed alone: a table that is full is rebuilt with what is
// young enough, a quarter larger if that is still most of it.
#include "freehold/http/internal/answer_index.h"

#include <algorithm>
#include <utility>

namespace freehold::http::internal {
namespace {

constexpr std::size_t slots_min = 16;

// How many of so many slots may be taken: a free one ends every search.
std::size_t taken_max(std::size_t slots) {
  return slots - slots / 8;
}

}  // namespace

// The slot that holds the hash, or the free one where it belongs. The upper half of the hash
// chooses the slot, for the lower bits have chosen the table.
std::size_t AnswerIndex::place_of(const Table& table, std::uint64_t hash) {
  std::size_t place = (hash >> 32U) * table.slots.size() >> 32U;
  while (table.slots[place].sequence != 0 && table.slots[place].hash != hash)
    place = place + 1 == table.slots.size() ? 0 : place + 1;
  return place;
}

std::uint64_t AnswerIndex::find(std::uint64_t hash, std::uint64_t oldest) const {
  const Table& table = tables_[hash % tables_.size()];
  if (table.slots.empty()) return 0;
  const std::uint64_t sequence = table.slots[place_of(table, hash)].sequence;
  return sequence >= oldest ? sequence : 0;
}

bool AnswerIndex::has_room(std::uint64_t hash, std::uint64_t oldest) {
  if (keys_ >= keys_max_) rebuild(table_of(hash), oldest);
  return keys_ < keys_max_;
}

void AnswerIndex::add(std::uint64_t hash, std::uint64_t sequence, std::uint64_t oldest) {
  Table& table = table_of(hash);
  if (table.taken >= taken_max(table.slots.size())) rebuild(table, oldest);
  Slot& slot = table.slots[place_of(table, hash)];
  if (slot.sequence == 0) {
    ++table.taken;
    ++keys_;
  }
  slot = {hash, sequence};
}

void AnswerIndex::rebuild(Table& table, std::uint64_t oldest) {
  const std::vector<Slot> before = std::move(table.slots);
  const auto is_young = [&](const Slot& slot) {
    return slot.sequence != 0 && slot.sequence >= oldest;
  };
  const auto young = static_cast<std::size_t>(std::ranges::count_if(before, is_young));
  table.slots = std::vector<Slot>(std::max(slots_min, young + young / 4 + young / 8 + 2));
  keys_ -= table.taken - young;
  table.taken = young;
  for (const Slot& slot : before)
    if (is_young(slot)) table.slots[place_of(table, slot.hash)] = slot;
}

}  // namespace freehold::http::internal
