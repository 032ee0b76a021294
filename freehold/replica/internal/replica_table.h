// SPDX-License-Identifier: Apache-2.0
//
// The table of a replica:
//
//   create table <name> (<column of Row> …, freehold_version bigint, freehold_deleted bigint,
//                        primary key (<the subject's column>)) without rowid
#pragma once

#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "freehold/database/sql.h"
#include "freehold/events/delivery.h"
#include "freehold/schema/described.h"
#include "freehold/schema/row.h"

namespace freehold::internal {

struct ReplicaTable {
  std::string name;
  std::string key;  // the subject's column
  std::vector<Column> columns;
};

std::string create_table(const ReplicaTable& table, std::string_view name, sql::Dialect dialect);
std::string upsert_row(const ReplicaTable& table, std::string_view into);
std::string sum_of_rows(std::string_view table);  // how many, and the sum of their versions
std::string select_row(std::string_view table, std::span<const std::string> columns,
                       std::string_view key);
// At most $1 rows from the last key backwards, deleted or not (the last column says so): of all, or
// of those before the key $2.
std::string select_before(std::string_view table, std::span<const std::string> columns,
                          std::string_view key, bool has_key);

class UnreadableState : public std::runtime_error {
 public:
  UnreadableState(const Delivery& delivery, std::string_view why);
};

template <class E>
using SubjectOf = std::remove_cvref_t<decltype(std::declval<E&>().*E::subject)>;

// The name of the member that E::subject points to.
template <class E>
constexpr std::string_view subject_name() {
  std::string_view name;
  boost::mp11::mp_for_each<Members<E>>([&](auto member) {
    if constexpr (std::is_same_v<std::remove_cv_t<decltype(member.pointer)>,
                                 std::remove_cv_t<decltype(E::subject)>>)
      if (member.pointer == E::subject) name = member.name;
  });
  return name;
}

}  // namespace freehold::internal
