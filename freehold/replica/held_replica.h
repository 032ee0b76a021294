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
#include <numeric>
#include <optional>
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

// Rows that were read are kept, and let go by the transaction that changes them: what is found is
// never older than the replica's table. A transaction that writes asks the replica itself.
// Where other instances share the database one of them may fill the table, unheard of here: there
// nothing is kept, and each find is a read. Callable from any thread. The database outlives it, and
// it outlives its own finds; a program() of it stands by itself.
template <StateEvent From, Described Row = From>
class HeldReplica {
 public:
  using Key = Replica<From, Row>::Key;

  // Holds at most `rows_max` rows (in fours, at least four), each in one of the four places of its
  // key, from which another key's may push it: of half as many rows some 4 % find no place. The
  // places take 8 bytes each, from the first find on; half of them may be filled unasked.
  HeldReplica(const Replica<From, Row>& replica, Database& database,
              std::size_t rows_max = 256 * 1024)
      : replica_(replica),
        database_(database),
        rows_(std::make_shared<Rows>(rows_max, &HeldReplica::key_of)) {}

  // Those of these keys, in their order; those that are not known are left out. From memory if all
  // are held, else all in one read: one that is not known is never held. Such a read also looks at
  // the next 128 rows of the table and takes them in, from the last key to the first, until half of
  // the places are spoken for. Fails as Database::read.
  Task<Result<std::vector<Row>>> find_all(std::vector<Key> keys) const;

  // As Replica::program(); its transactions also let go of the rows that they change.
  ReplicaProgram program() const;

 private:
  using Rows = internal::HeldRows<Key, Row>;

  static const Key& key_of(const Row& row);
  static Rows::Walked walk(SqlTransaction& transaction, std::string_view table,
                           const Rows::Step& step);

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
  const bool keeps = !database_.is_shared();
  const typename Rows::Moment moment = keeps ? rows_->moment() : typename Rows::Moment{};
  FREEHOLD_CO_TRY(auto read, co_await database_.read([replica = replica_, keys, step = moment.step](
                                                         SqlTransaction& transaction) {
    auto found = replica.find_all(transaction, keys);
    auto walked = step ? walk(transaction, replica.table(), *step) : typename Rows::Walked{};
    return std::pair{std::move(found), std::move(walked)};
  }));
  auto& [found, walked] = read;
  if (keeps) rows_->keep(found, std::move(walked), moment);
  co_return std::move(found);
}

template <StateEvent From, Described Row>
auto HeldReplica<From, Row>::walk(SqlTransaction& transaction, std::string_view table,
                                  const Rows::Step& step) -> Rows::Walked {
  const std::vector<std::string>& columns = column_names<Row>();
  const std::string text = internal::select_before(table, columns, internal::subject_name<From>(),
                                                   step.before.has_value());
  SqlStatement& statement = transaction.statement(text);
  const internal::StatementUse use{statement};
  bind_value(statement, 1, static_cast<std::int64_t>(step.rows));
  if (step.before) bind_value(statement, 2, *step.before);
  std::vector<int> positions(columns.size());
  std::iota(positions.begin(), positions.end(), 0);
  const int deleted = static_cast<int>(columns.size());
  typename Rows::Walked walked;
  std::size_t looked_at = 0;
  for (; statement.next(); ++looked_at) {
    Row row = read_row<Row>(statement, positions);
    walked.down_to = key_of(row);
    if (statement.integer(deleted) == 0) walked.rows.push_back(std::move(row));
  }
  walked.is_over = looked_at < step.rows;
  return walked;
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
