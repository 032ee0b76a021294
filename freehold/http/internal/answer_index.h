// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace freehold::http::internal {

// Which answer an idempotency key has: hashes of keys and sequences of answers, in memory, 16 bytes
// each in tables that are filled to 70 … 88 %. What is older than the caller's `oldest` is as if it
// were not there, and its place is used again. Not safe for several threads.
class AnswerIndex {
 public:
  // `keys_max`: how many it may hold; see has_room.
  explicit AnswerIndex(std::size_t keys_max) : keys_max_(keys_max) {}

  // The sequence of the answer under that hash, if it is `oldest` or younger; else 0.
  std::uint64_t find(std::uint64_t hash, std::uint64_t oldest) const;

  // Whether one more key may be added. When all places are taken, some of what is too old is
  // forgotten first.
  bool has_room(std::uint64_t hash, std::uint64_t oldest);

  // Adds it, or replaces what is under that hash. It finds its place in any case: what was promised
  // room is not turned away when it is committed.
  void add(std::uint64_t hash, std::uint64_t sequence, std::uint64_t oldest);

  std::size_t size() const { return keys_; }

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint64_t sequence = 0;  // 0: the slot is free
  };
  // One of many, so that making one larger takes a fraction of a millisecond.
  struct Table {
    std::vector<Slot> slots;
    std::size_t taken = 0;
  };

  static std::size_t place_of(const Table& table, std::uint64_t hash);
  Table& table_of(std::uint64_t hash) { return tables_[hash % tables_.size()]; }
  void rebuild(Table& table, std::uint64_t oldest);

  const std::size_t keys_max_;
  std::size_t keys_ = 0;
  std::array<Table, 1024> tables_;
};

}  // namespace freehold::http::internal
