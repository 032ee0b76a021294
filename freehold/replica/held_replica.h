// SPDX-License-Identifier: Apache-2.0
//
// A replica that is read for every request and seldom changes, with its rows at hand in memory:
//
//   freehold::HeldReplica prices{product_replica, database};
//   service.copy(prices);  // in the parts list, in place of the replica
//
//   FREEHOLD_CO_TRY(auto rows, co_await prices.find_all(ids));
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/replica/internal/held_rows.h"
#include "freehold/replica/replica.h"

namespace freehold {

// Rows that were read are kept, and let go by the transaction that changes them: what is
// found is never older than the replica's table. A transaction that writes asks the replica itself.
// Where other instances share the database one of them may fill the table, unheard of here: there
// nothing is kept, and each find is a read. Callable from any thread. The database outlives it, and
// it outlives its own finds; a program() of it stands by itself.
template <StateEvent From, Described Row = From>
class HeldReplica {
 public:
  using Key = Replica<From, Row>::Key;

  // Holds at most `rows_max` rows (in fours, at least four), each in one of the four places of its
  // key, from which another key's may push it: of half as many rows some 4 % find no place. The
  // places take 8 bytes each, once a row is held.
  HeldReplica(const Replica<From, Row>& replica, Database& database,
              std::size_t rows_max = 256 * 1024)
      : replica_(replica),
        database_(database),
        rows_(std::make_shared<Rows>(rows_max, &HeldReplica::key_of)) {}

  // Those of these keys, in their order; those that are not known are left out. From memory if all
  // are held, else all in one read: one that is not known is never held. Such a read also takes in
  // the next 128 rows of the table, from its last key to its first, until it has been through or
  // half of the places are spoken for. Fails as Database::read.
  Task<Result<std::vector<Row>>> find_all(std::vector<Key> keys) const;

  // As Replica::program(); its transactions also let go of the rows that they change.
  ReplicaProgram program() const;

 private:
  using Rows = internal::HeldRows<Key, Row>;

  static const Key& key_of(const Row& row);

  const Replica<From, Row> replica_;
  Database& database_;
  const std::shared_ptr<Rows> rows_;
};

template <StateEvent From, Described Row>
auto HeldReplica<From, Row>::key_of(const Row& row) -> const Key& {
  const Key* key = nullptr;
  for_each_member(row, [&](std::string_view name, const auto& value) {
    if constexpr (std::is_same_v<std::remove_cvref_t<decltype(value)>, Key>)
      if (name == internal::subject_name<From>()) key = &value;
  });
  return *key;
}

template <StateEvent From, Described Row>
Task<Result<std::vector<Row>>> HeldReplica<From, Row>::find_all(std::vector<Key> keys) const {
  if (auto held = rows_->find_all(keys)) co_return *std::move(held);
  const typename Rows::Moment moment = rows_->moment();
  const bool keeps = !database_.is_shared();
  const bool walks = keeps && !moment.walk.is_over;
  FREEHOLD_CO_TRY(
      auto read,
      co_await database_.read([replica = replica_, keys, walks, from = moment.walk.down_to,
                               step = rows_->walk_step()](SqlTransaction& transaction) {
        std::vector<Row> walked;
        if (walks) walked = replica.last_before(transaction, from, step);
        return std::pair{replica.find_all(transaction, keys), std::move(walked)};
      }));
  auto& [found, walked] = read;
  if (keeps) rows_->keep(found, walked, moment);
  co_return std::move(found);
}

template <StateEvent From, Described Row>
ReplicaProgram HeldReplica<From, Row>::program() const {
  ReplicaProgram program = replica_.program();
  program.apply = [rows = rows_, apply = std::move(program.apply), own = program.table.name](
                      SqlTransaction& transaction, const std::string& into,
                      const Delivery& delivery) {
    const std::int64_t changed = apply(transaction, into, delivery);
    if (changed > 0 && into == own) {
      if constexpr (IdType<Key>) {
        if (const auto key = Key::from_text(delivery.subject))
          rows->change(transaction, *key);
        else
          rows->change_all(transaction);
      } else {
        rows->change(transaction, Key{delivery.subject});
      }
    }
    return changed;
  };
  program.replaced = [rows = rows_](SqlTransaction& transaction) { rows->change_all(transaction); };
  return program;
}

}  // namespace freehold
