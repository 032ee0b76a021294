// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "freehold/base/assert.h"
#include "freehold/database/transaction.h"

namespace freehold::internal {

// Rows by their keys, in memory. A key has one place, which others have too: the row that came last
// lies there, so that there are never more than places, and none has to be looked for to make room.
//
// Never older than the table: a transaction that changes a row lets it go before it commits, and
// until what follows its commit (or it was undone) nothing is taken in. What was read before that
// may be older than the change, and so is not taken in either. Callable from any thread.
template <class Key, class Row>
class HeldRows : public std::enable_shared_from_this<HeldRows<Key, Row>> {
 public:
  explicit HeldRows(std::size_t places) : places_(places) {
    FREEHOLD_ASSERT(places > 0, "rows are held in at least one place");
  }

  // Those of these keys, in their order, or nothing if one is missing. `is_of` says whether a row
  // is of a key.
  template <class IsOf>
  std::optional<std::vector<Row>> find_all(std::span<const Key> keys, const IsOf& is_of) const {
    std::vector<Row> found;
    found.reserve(keys.size());
    const std::scoped_lock lock{mutex_};
    if (rows_.empty()) return std::nullopt;
    for (const Key& key : keys) {
      const std::unique_ptr<Row>& row = rows_[place_of(key)];
      if (!row || !is_of(*row, key)) return std::nullopt;
      found.push_back(*row);
    }
    return found;
  }

  // The moment before a read, for `keep`.
  std::uint64_t moment() const {
    const std::scoped_lock lock{mutex_};
    return changes_;
  }

  // Takes in what was read since that moment, unless something has changed since.
  void keep(const Key& key, Row row, std::uint64_t moment) {
    auto kept = std::make_unique<Row>(std::move(row));
    const std::scoped_lock lock{mutex_};
    if (under_way_ > 0 || changes_ != moment) return;
    if (rows_.empty()) rows_.resize(places_);
    rows_[place_of(key)].swap(kept);
  }

  // This transaction changes the row of that key.
  void change(SqlTransaction& transaction, const Key& key) {
    begin_change(transaction);
    const std::scoped_lock lock{mutex_};
    if (!rows_.empty()) rows_[place_of(key)].reset();
  }

  // This transaction changes any rows.
  void change_all(SqlTransaction& transaction) {
    begin_change(transaction);
    std::vector<std::unique_ptr<Row>> gone;  // after the lock
    const std::scoped_lock lock{mutex_};
    rows_.swap(gone);
  }

 private:
  std::size_t place_of(const Key& key) const { return std::hash<Key>{}(key) % rows_.size(); }

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

  const std::size_t places_;
  mutable std::mutex mutex_;                // guards all below
  std::vector<std::unique_ptr<Row>> rows_;  // by place; empty until the first is kept
  std::uint64_t changes_ = 0;               // begun, and ended
  std::size_t under_way_ = 0;               // of them, whose transactions have not ended
};

}  // namespace freehold::internal
