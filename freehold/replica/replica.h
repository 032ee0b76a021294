// SPDX-License-Identifier: Apache-2.0
//
// A replica is a declared, local, read-only copy of another service's data: a table that the
// toolkit makes, fills from the owner's state events, and rebuilds.
//
//   struct ProductRow { product::ProductId id; std::string name; std::int64_t version; };
//   BOOST_DESCRIBE_STRUCT(ProductRow, (), (id, name, version))
//   inline constexpr freehold::Replica<product::ProductState, ProductRow>
//   products{"product_replica"};
//
//   service.copy(products);                              // in the parts list
//   std::optional<ProductRow> row = products.find(transaction, id);
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/database/transaction.h"
#include "freehold/events/consumer.h"
#include "freehold/events/event.h"
#include "freehold/replica/internal/replica_table.h"
#include "freehold/schema/json_schema.h"
#include "freehold/schema/row.h"

namespace freehold {

// A replica for those that know it by name only.
struct ReplicaProgram {
  internal::ReplicaTable table;
  std::string source;   // the service that owns the data
  std::string family;   // of its state events
  std::uint64_t shape;  // of the row; another one means another table

  // Applies one state event to the table of that name: the newer version wins, and a deletion
  // leaves a row that nobody finds, so that an older state does not come back.
  // Returns the rows changed: 0 when the row has this version already, or a newer one.
  std::function<std::int64_t(SqlTransaction&, const std::string& table, const Delivery&)> apply;

  // Called in the transaction that puts a rebuilt table in place of the replica's; may be empty.
  std::function<void(SqlTransaction&)> replaced{};
};

// `From`: the owner's state event. `Row`: any subset of its members, by name and type; the member
// that is From's subject must be in it, it is the key.
template <StateEvent From, Described Row = From>
class Replica {
 public:
  // `table` is the replica's name and its table's; a lower-case SQL identifier.
  constexpr explicit Replica(std::string_view table) : table_(table) {}

  using Key = internal::SubjectOf<From>;

  // What is known of that subject. Older than the owner's state by as much as the replica lags.
  std::optional<Row> find(SqlTransaction& transaction, const Key& key) const;
  // Of several, in the order of the keys; those that are not known are left out.
  std::vector<Row> find_all(SqlTransaction& transaction, std::span<const Key> keys) const;

  std::string_view table() const { return table_; }
  ReplicaProgram program() const;

 private:
  std::string_view table_;
};

template <StateEvent From, Described Row>
std::optional<Row> Replica<From, Row>::find(SqlTransaction& transaction, const Key& key) const {
  const std::string text =
      internal::select_row(table_, column_names<Row>(), internal::subject_name<From>());
  SqlStatement& statement = transaction.statement_by_key(text);
  const internal::StatementUse use{statement};
  bind_value(statement, 1, key);
  if (!statement.next()) return std::nullopt;
  return internal::current_row<Row>(statement, text);
}

template <StateEvent From, Described Row>
std::vector<Row> Replica<From, Row>::find_all(SqlTransaction& transaction,
                                              std::span<const Key> keys) const {
  const std::string text =
      internal::select_row(table_, column_names<Row>(), internal::subject_name<From>());
  for (const Key& key : keys) {
    SqlStatement& statement = transaction.statement_by_key(text);
    const internal::StatementUse use{statement};
    bind_value(statement, 1, key);
    statement.foresee();
  }
  std::vector<Row> rows;
  if (transaction.is_looked_at()) return rows;
  rows.reserve(keys.size());
  for (const Key& key : keys)
    if (auto row = find(transaction, key)) rows.push_back(*std::move(row));
  return rows;
}

template <StateEvent From, Described Row>
ReplicaProgram Replica<From, Row>::program() const {
  static_assert(has_member<Row>(internal::subject_name<From>()),
                "a replica's row has the member that is its event's subject");
  const internal::ReplicaTable table{std::string{table_},
                                     std::string{internal::subject_name<From>()}, columns<Row>()};
  return {.table = table,
          .source = std::string{service_of(From::type)},
          .family = std::string{family_of(From::type)},
          .shape = shape_of<Row>(),
          .apply = [table](SqlTransaction& transaction, const std::string& into,
                           const Delivery& delivery) {
            const auto state = read_json<From>(delivery.data, Strictness::tolerant);
            if (delivery.type != From::type || !state)
              throw internal::UnreadableState(delivery,
                                              state ? "another version" : state.error().detail());
            SqlStatement& statement = transaction.statement(internal::upsert_row(table, into));
            const internal::StatementUse use{statement};
            int parameter = bind_row(statement, 1, narrowed<Row>(*state));
            bind_value(statement, parameter++, state->version);
            bind_value(statement, parameter, delivery.deleted);
            return statement.execute();
          }};
}

}  // namespace freehold
