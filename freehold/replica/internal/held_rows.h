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
// set a row that was asked for pushes one out, so that there are never more rows than places, and
// none has to be looked for to make room.
//
// Each read of what is missing also takes a step of a walk through the table, from its last key to
// its first, so that it need not be missed row by row. The walk ends at the first key, or when it
// has met half as many rows as there are places. From the first key it begins anew after as many
// reads as have cost what it did: the table may have been filled only then.
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

  // Of the walk: the next `rows` rows of the table, which are those before that key, or the last.
  struct Step {
    std::optional<Key> before{};
    std::size_t rows = 0;
  };

  // What such a step has found.
  struct Walked {
    std::vector<Row> rows{};
    std::optional<Key> down_to{};  // the last key that was looked at, if there was one
    bool is_over = false;          // there are no others before it
  };

  // The moment before a read, for `keep`. No step while it could not be kept.
  struct Moment {
    std::uint64_t changes = 0;
    std::optional<Step> step{};
  };
  Moment moment() const {
    const std::scoped_lock lock{mutex_};
    if (!walk_.goes_on || under_way_ > 0) return {changes_};
    return {changes_, Step{walk_.down_to, step_rows()}};
  }

  // Takes in what was read since that moment, unless something has changed since. `walked`, of that
  // moment's step, pushes nothing out.
  void keep(std::vector<Row> rows, Walked walked, const Moment& moment) {
    std::vector<RowPointer> asked_for = pointers_to(std::move(rows));  // and later those pushed out
    std::vector<RowPointer> met = pointers_to(std::move(walked.rows));
    const std::scoped_lock lock{mutex_};
    if (under_way_ > 0 || changes_ != moment.changes) return;
    if (rows_.empty()) rows_.resize(sets_ * set_size);
    for (RowPointer& row : asked_for) {
      const auto place = held_or_free(key_of_(*row));
      row.swap(rows_[place ? *place : set_of(key_of_(*row)) + pushed_++ % set_size]);
    }
    for (RowPointer& row : met)
      if (const auto place = held_or_free(key_of_(*row))) row.swap(rows_[*place]);
    if (!moment.step)
      begin_anew_when_it_pays();
    else if (walk_.goes_on && moment.step->before == walk_.down_to)
      walk_on(walked, met.size());
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
  }

 private:
  using RowPointer = std::unique_ptr<Row>;

  static constexpr std::size_t set_size = 4;

  static std::vector<RowPointer> pointers_to(std::vector<Row> rows) {
    std::vector<RowPointer> pointers;
    pointers.reserve(rows.size());
    for (Row& row : rows) pointers.push_back(std::make_unique<Row>(std::move(row)));
    return pointers;
  }

  // Some 0.1 ms of SQLite's.
  std::size_t step_rows() const { return std::min<std::size_t>(128, half()); }

  // Of the places: what the walk may fill.
  std::size_t half() const { return sets_ * set_size / 2; }

  // The first place of that key's set.
  std::size_t set_of(const Key& key) const { return std::hash<Key>{}(key) % sets_ * set_size; }

  // Of that key's row, if it is held.
  std::optional<std::size_t> place_of(const Key& key) const {
    const auto place = held_or_free(key);
    return place && rows_[*place] ? place : std::nullopt;
  }

  // The place of that key's row, or a free one of its set.
  std::optional<std::size_t> held_or_free(const Key& key) const {
    std::optional<std::size_t> free;
    const std::size_t first = set_of(key);
    for (std::size_t place = first; place < first + set_size; ++place) {
      if (rows_[place] && key_of_(*rows_[place]) == key) return place;
      if (!rows_[place] && !free) free = place;
    }
    return free;
  }

  void walk_on(const Walked& walked, std::size_t rows) {
    walk_.met += rows;
    if (walked.down_to) walk_.down_to = walked.down_to;
    walk_.goes_on = !walked.is_over && walk_.met < half();
  }

  // A row costs ten times as much by a read of its own.
  void begin_anew_when_it_pays() {
    if (walk_.goes_on || walk_.met >= half()) return;
    if (++walk_.reads_since > step_rows() + walk_.met / 10) walk_ = {};
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
  struct {
    std::optional<Key> down_to{};  // nothing: it has not begun
    bool goes_on = true;
    std::size_t met = 0;          // rows
    std::size_t reads_since = 0;  // its end
  } walk_;
  std::uint64_t changes_ = 0;  // begun, and ended
  std::size_t under_way_ = 0;  // of them, whose transactions have not ended
};

}  // namespace freehold::internal
