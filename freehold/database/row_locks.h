// SPDX-License-Identifier: Apache-2.0
//
// Where several lanes write to one database, two batches that lock popular rows in the order in
// which their bodies come to them lock them in a circle, again and again. So a body that may
// contend for rows names their keys before it runs; the lane locks those of the whole batch at
// once, in the order of keys, and then runs the bodies:
//
//   constexpr freehold::sql::Lock<ProductId> stock_rows{
//       "select 1 from stock where product_id = any($1) order by product_id for update"};
//
//   database.write(body, {}, [id](freehold::RowLocks& locks) { locks.add(stock_rows, id); });
//
// It costs one statement a batch, which nobody waits for, and nothing on SQLite, which has one
// writer. A body that names none, or too few, stays correct: it decides from rows that it locks
// itself. It may lose its batch to a deadlock then, and a second to its detection.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/database/sql.h"
#include "freehold/schema/row.h"

namespace freehold {
namespace sql {

// Locks the rows that belong to any of the keys; $n is an array of all keys of the n-th type. In
// PostgreSQL's words.
template <class... Keys>
class Lock {
 public:
  consteval Lock(const char* text)  // NOLINT: a text is a lock
      : text_(internal::counted({text, text}, sizeof...(Keys)).dialects.postgres) {
    if (!text_.contains(" order by ") || !text_.contains(" for update"))
      throw "a lock's text says `order by` its keys, and `for update`";
  }
  std::string_view text() const { return text_; }

 private:
  std::string_view text_;
};

}  // namespace sql

// The rows that the bodies of one batch may contend for.
class RowLocks {
 public:
  // The different keys of one parameter, as the database knows them.
  class Keys final : public ParameterSink {
   public:
    explicit Keys(ColumnType column) : type(column) {}
    void null(int parameter) override;
    void integer(int parameter, std::int64_t value) override;
    void real(int parameter, double value) override;
    void text(int parameter, std::string_view value) override;
    void blob(int parameter, std::span<const std::uint8_t> value) override;

    const ColumnType type;  // integer, text or blob
    std::set<std::int64_t> integers;
    std::set<std::string, std::less<>> bytes;
  };

  // `key` is of one of the lock's types.
  template <class... Types, class Key>
    requires(std::same_as<Key, Types> || ...)
  void add(const sql::Lock<Types...>& lock, const Key& key);

  // By the text of the lock, so that all lanes take several of them in one order.
  const std::map<std::string_view, std::vector<Keys>>& all() const { return all_; }

 private:
  std::map<std::string_view, std::vector<Keys>> all_;
};

// Says which rows a body may contend for; called on the lane's thread before each of its runs, but
// not where there is one writer.
using NamesLocks = std::function<void(RowLocks&)>;

template <class... Types, class Key>
  requires(std::same_as<Key, Types> || ...)
void RowLocks::add(const sql::Lock<Types...>& lock, const Key& key) {
  auto found = all_.find(lock.text());
  if (found == all_.end())
    found = all_.emplace(lock.text(), std::vector{Keys{internal::column_type<Types>()}...}).first;
  std::size_t place = 0;
  (void)((std::same_as<Key, Types> || (++place, false)) || ...);
  bind_value(found->second[place], 1, key);
}

}  // namespace freehold
