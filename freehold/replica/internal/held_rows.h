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

  // How far the table was gone through, from its last key to its first, to take rows in before
  // anybody asks for them.
  struct Walk {
    std::optional<Key> down_to{};  // nothing: it has not begun
    bool is_over = false;          // at the first key, or half of the places are filled
    friend bool operator==(const Walk&, const Walk&) = default;
  };

  // The moment before a read, for `keep`.
  struct Moment {
    std::uint64_t changes = 0;
    Walk walk{};
  };
  Moment moment() const {
    const std::scoped_lock lock{mutex_};
    return {changes_, walk_};
  }

  // How many rows a read goes on with the walk: some 0.1 ms of SQLite's.
  std::size_t walk_step() const { return std::min<std::size_t>(128, sets_ * set_size / 2); }

  // Takes in what was read since that moment, unless something has changed since. `walked`: the
  // next walk_step() rows of the walk, fewer at its end; they push nothing out.
  void keep(std::span<const Row> rows, std::span<const Row> walked, const Moment& moment) {
    auto kept = copies_of(rows);  // and those pushed out, when the lock is gone
    auto kept_beside = copies_of(walked);
    const std::scoped_lock lock{mutex_};
    if (under_way_ > 0 || changes_ != moment.changes) return;
    if (rows_.empty()) rows_.resize(sets_ * set_size);
    for (RowPointer& row : kept) row.swap(rows_[place_for(key_of_(*row))]);
    for (RowPointer& row : kept_beside)
      if (RowPointer& place = rows_[place_for(key_of_(*row))]; !place) place = std::move(row);
    if (walk_ == moment.walk) go_on(walked);
  }

  // This transaction changes the row of that key.
  void change(SqlTransaction& transaction, const Key& key) {
    begin_change(transaction);
    RowPointer gone;  // after the lock
    const std::scoped_lock lock{mutex_};
    if (rows_.empty()) return;
    if (const auto place = place_of(key)) rows_[*place].swap(gone);
  }

  // This transaction changes any rows.
  void change_all(SqlTransaction& transaction) {
    begin_change(transaction);
    std::vector<RowPointer> gone;  // after the lock
    const std::scoped_lock lock{mutex_};
    rows_.swap(gone);
    walk_ = {};
    walked_ = 0;
  }

 private:
  using RowPointer = std::unique_ptr<Row>;

  static constexpr std::size_t set_size = 4;

  static std::vector<RowPointer> copies_of(std::span<const Row> rows) {
    std::vector<RowPointer> copies;
    copies.reserve(rows.size());
    for (const Row& row : rows) copies.push_back(std::make_unique<Row>(row));
    return copies;
  }

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

  void go_on(std::span<const Row> walked) {
    if (walk_.is_over) return;
    walked_ += walked.size();
    if (!walked.empty()) walk_.down_to = key_of_(walked.back());
    walk_.is_over = walked.size() < walk_step() || walked_ >= rows_.size() / 2;
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
  mutable std::mutex mutex_;      // guards all below
  std::vector<RowPointer> rows_;  // set by set; empty until the first is kept
  std::size_t pushed_ = 0;        // rows, out of full sets
  Walk walk_;
  std::size_t walked_ = 0;     // rows
  std::uint64_t changes_ = 0;  // begun, and ended
  std::size_t under_way_ = 0;  // of them, whose transactions have not ended
};

}  // namespace freehold::internal
