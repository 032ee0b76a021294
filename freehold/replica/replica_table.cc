// SPDX-License-Identifier: Apache-2.0
#include "freehold/replica/internal/replica_table.h"

namespace freehold::internal {
namespace {

std::string_view sql_type(ColumnType type) {
  switch (type) {
    case ColumnType::integer:
      return "bigint";
    case ColumnType::real:
      return "double precision";
    case ColumnType::text:
      return "text";
    case ColumnType::blob:
      return "blob";
  }
  return "text";
}

std::string select_columns(std::span<const std::string> columns) {
  std::string text = "select ";
  for (std::size_t i = 0; i < columns.size(); ++i) {
    if (i > 0) text += ", ";
    text += columns[i];
  }
  return text;
}

}  // namespace

std::string create_table(const ReplicaTable& table, std::string_view name, sql::Dialect dialect) {
  std::string text = "create table " + std::string{name} + " (";
  for (const Column& column : table.columns)
    text += column.name + " " + std::string{sql_type(column.type)} + ", ";
  text += "freehold_version bigint not null, freehold_deleted bigint not null, primary key (" +
          table.key + ")) without rowid";
  return sql::tables_in(dialect, text);
}

std::string upsert_row(const ReplicaTable& table, std::string_view into) {
  std::string names, parameters, updates;
  int parameter = 0;
  const auto add = [&](const std::string& name) {
    if (parameter > 0) {
      names += ", ";
      parameters += ", ";
      updates += ", ";
    }
    names += name;
    parameters += "$" + std::to_string(++parameter);
    updates += name + " = excluded." + name;
  };
  for (const Column& column : table.columns) add(column.name);
  add("freehold_version");
  add("freehold_deleted");
  const std::string target{into};
  return "insert into " + target + " (" + names + ") values (" + parameters + ") on conflict (" +
         table.key + ") do update set " + updates + " where excluded.freehold_version > " + target +
         ".freehold_version";
}

std::string sum_of_rows(std::string_view table) {
  return "select count(*), coalesce(sum(freehold_version), 0) from " + std::string{table} +
         " where freehold_deleted = 0";
}

std::string select_row(std::string_view table, std::span<const std::string> columns,
                       std::string_view key) {
  return select_columns(columns) + " from " + std::string{table} + " where " + std::string{key} +
         " = $1 and freehold_deleted = 0";
}

std::string select_before(std::string_view table, std::span<const std::string> columns,
                          std::string_view key, bool has_key) {
  const std::string key_text{key};
  return select_columns(columns) + ", freehold_deleted from " + std::string{table} +
         (has_key ? " where " + key_text + " < $2" : "") + " order by " + key_text +
         " desc limit $1";
}

UnreadableState::UnreadableState(const Delivery& delivery, std::string_view why)
    : std::runtime_error("state event " + delivery.id.text() + " (" + std::string{delivery.type} +
                         ") cannot be copied: " + std::string{why}) {}

}  // namespace freehold::internal
