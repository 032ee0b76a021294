// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "freehold/database/transaction.h"

namespace freehold::internal {

// Rows by their keys, in memory. A key has a set of four places, which others have too; in a full
// set the row that came last pushes one out, so that there are never more rows than places, and
// none has to be looked for to make room.
//
// Never older than the table: a transaction that changes a row lets it go before it commits, and
// until what follows its commit (or it was undone) nothing is taken in. What was read before that
// may be older than the change, and so is not taken in either. Callable from any thread.
template <class Key, class Row>
class HeldRows : public std::enable_shared_from_this<HeldRows<Key, Row>> {
 public:
  using KeyOf = const Key& (*)(const Row& row);

  // At least one set, whatever `rows_max` is.
  HeldRows(std::size_t rows_max, KeyOf key_of)
      : sets_(std::max<std::size_t>(rows_max / set_size, 1)), key_of_(key_of) {}

  // Those of these keys, in their order, or nothing if one is missing.
  std::optional<std::vector<Row>> find_all(std::span<const Key> keys) const {
    std::vector<Row> found;
    found.reserve(keys.size());
    const std::scoped_lock lock{mutex_};
    if (rows_.empty()) return std::nullopt;
    for (const Key& key : keys) {
      const auto place = place_of(key);
      if (!place) return std::nullopt;
      found.push_back(*rows_[*place]);
    }
    return found;
  }

  // The moment before a read, for `keep`.
  std::uint64_t moment() const {
    const std::scoped_lock lock{mutex_};
    return changes_;
  }

  // Takes in what was read since that moment, unless something has changed since.
  void keep(std::span<const Row> rows, std::uint64_t moment) {
    std::vector<std::unique_ptr<Row>> kept;  // those pushed out, when the lock is gone
    kept.reserve(rows.size());
    for (const Row& row : rows) kept.push_back(std::make_unique<Row>(row));
    const std::scoped_lock lock{mutex_};
    if (under_way_ > 0 || changes_ != moment) return;
    if (rows_.empty()) rows_.resize(sets_ * set_size);
    for (std::unique_ptr<Row>& row : kept) row.swap(rows_[place_for(key_of_(*row))]);
  }

  // This transaction changes the row of that key.
  void change(SqlTransaction& transaction, const Key& key) {
    begin_change(transaction);
    std::unique_ptr<Row> gone;  // after the lock
    const std::scoped_lock lock{mutex_};
    if (rows_.empty()) return;
    if (const auto place = place_of(key)) rows_[*place].swap(gone);
  }

  // This transaction changes any rows.
  void change_all(SqlTransaction& transaction) {
    begin_change(transaction);
    std::vector<std::unique_ptr<Row>> gone;  // after the lock
    const std::scoped_lock lock{mutex_};
    rows_.swap(gone);
  }

 private:
  static constexpr std::size_t set_size = 4;

  // The first place of that key's set.
  std::size_t set_of(const Key& key) const { return std::hash<Key>{}(key) % sets_ * set_size; }

  // Of that key's row, if it is held.
  std::optional<std::size_t> place_of(const Key& key) const {
    const std::size_t first = set_of(key);
    for (std::size_t place = first; place < first + set_size; ++place)
      if (rows_[place] && key_of_(*rows_[place]) == key) return place;
    return std::nullopt;
  }

  // The place of that key's row, or an empty one of its set, or any of it.
  std::size_t place_for(const Key& key) {
    if (const auto place = place_of(key)) return *place;
    const std::size_t first = set_of(key);
    for (std::size_t place = first; place < first + set_size; ++place)
      if (!rows_[place]) return place;
    return first + pushed_++ % set_size;
  }

  void begin_change(SqlTransaction& transaction) {
    const auto end = [self = this->shared_from_this()] {
      const std::scoped_lock lock{self->mutex_};
      --self->under_way_;
      ++self->changes_;  // who has read in between may have read what was before
    };
    transaction.on_commit(end);
    transaction.on_rollback(end);
    const std::scoped_lock lock{mutex_};
    ++under_way_;
    ++changes_;
  }

  const std::size_t sets_;
  const KeyOf key_of_;
  mutable std::mutex mutex_;                // guards all below
  std::vector<std::unique_ptr<Row>> rows_;  // set by set; empty until the first is kept
  std::size_t pushed_ = 0;                  // rows, out of full sets
  std::uint64_t changes_ = 0;               // begun, and ended
  std::size_t under_way_ = 0;               // of them, whose transactions have not ended
};

}  // namespace freehold::internal
