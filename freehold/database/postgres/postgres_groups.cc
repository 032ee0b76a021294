// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_groups.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <string_view>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/database/postgres/postgres_connection.h"
#include "freehold/database/postgres/postgres_foresight.h"

namespace freehold {
namespace {

// The text of an expression with each parameter in its place: "null" or a column of the arrays'.
std::string in_columns(std::string_view text, const std::vector<unsigned>& types) {
  std::string made;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '$') {
      made += text[i];
      continue;
    }
    std::size_t number = 0;
    while (i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9')
      number = number * 10 + static_cast<std::size_t>(text[++i] - '0');
    made += types[number - 1] == 0 ? "null" : "n.p" + std::to_string(number);
  }
  return made;
}

// "unnest($1, $2, …) as n (p1, p3, …)", of the parameters that are not null.
std::string arrays(const std::vector<unsigned>& types) {
  std::string values, columns;
  int number = 0;
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (types[i] == 0) continue;
    values += (number == 0 ? "$" : ", $") + std::to_string(number + 1);
    columns += (number == 0 ? "p" : ", p") + std::to_string(i + 1);
    ++number;
  }
  return "unnest(" + values + ") as n (" + columns + ")";
}

// bigint, as it travels.
std::int64_t number_in(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8 | static_cast<unsigned char>(byte);
  return std::bit_cast<std::int64_t>(value);
}

std::string bytes_of(std::int64_t number) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8)
    bytes += static_cast<char>(std::bit_cast<std::uint64_t>(number) >> shift & 0xff);
  return bytes;
}

// Whether one statement can stand for many.
bool can_be_grouped(std::string_view text) {
  constexpr auto none = std::string_view::npos;
  if (text.starts_with("insert into ")) {
    const std::size_t conflict = text.find(" on conflict ");
    return text.find(" values (") != none && (conflict == none || text.find('$', conflict) == none);
  }
  const std::size_t where = text.find(" where ");
  return text.starts_with("update ") && where != none && where == text.rfind(" where ") &&
         text.find(" from ") == none;
}

// `insert … values (…) …` becomes `insert … select … from unnest …`, `update … where …` becomes
// `update … from unnest … where …`.
std::string for_many(std::string_view text, const std::vector<unsigned>& types) {
  constexpr std::string_view values = " values (";
  if (const std::size_t begin = text.find(values); text.starts_with("insert ")) {
    const std::size_t open = begin + values.size();
    std::size_t close = open;
    for (int depth = 1; depth > 0; ++close)
      depth += text[close] == '(' ? 1 : text[close] == ')' ? -1 : 0;
    return std::string{text.substr(0, begin)} + " select " +
           in_columns(text.substr(open, close - 1 - open), types) + " from " + arrays(types) +
           in_columns(text.substr(close), types);
  }
  const std::size_t where = text.find(" where ");
  return in_columns(text.substr(0, where), types) + " from " + arrays(types) +
         in_columns(text.substr(where), types);
}

}  // namespace

void PostgresGroups::begin(bool is_on) {
  is_on_ = is_on;
  groups_.clear();
  group_of_key_.clear();
  for (Kind& kind : kinds_) kind.newest = 0;
}

PostgresGroups::Kind& PostgresGroups::kind_of(PostgresStatement& change, bool expects_one) {
  const auto& parameters = change.parameters_;
  const auto found = std::ranges::find_if(kinds_, [&](const Kind& kind) {
    return kind.change == &change && kind.expects_one == expects_one &&
           std::ranges::equal(kind.types, parameters, {}, {}, &PostgresStatement::Parameter::type);
  });
  if (found != kinds_.end()) return *found;
  std::vector<unsigned> types;
  types.reserve(parameters.size());
  for (const auto& parameter : parameters) types.push_back(parameter.type);
  PostgresStatement& many = connection_.statement(for_many(change.text_, types));
  return kinds_.emplace_back(Kind{&change, &many, std::move(types), expects_one});
}

bool PostgresGroups::add(PostgresStatement& change, bool expects_one) {
  if (!is_on_ || !change.is_by_key() || change.parameters_.front().type == 0 ||
      !can_be_grouped(change.text_))
    return false;
  connection_.check_usable();
  Kind& kind = kind_of(change, expects_one);
  std::string key = PostgresForesight::key_of(change);
  std::size_t& group_of_key = group_of_key_[key];
  if (kind.newest != 0 && kind.newest == group_of_key &&
      has_summed(groups_[kind.newest - 1], change, key))
    return true;
  if (kind.newest == 0 || kind.newest <= group_of_key) {
    groups_.push_back({&kind, {}});
    kind.newest = groups_.size();
  }
  group_of_key = kind.newest;
  Row row{std::move(key), {}};
  row.values.reserve(change.parameters_.size());
  for (const PostgresStatement::Parameter& parameter : change.parameters_)
    row.values.push_back(parameter.bytes);
  groups_[kind.newest - 1].rows.push_back(std::move(row));
  return true;
}

// Adds the units to those of the row of that key.
bool PostgresGroups::has_summed(Group& group, const PostgresStatement& change,
                                const std::string& key) {
  if (change.reach_ != sql::Reach::sum) return false;
  const auto row = std::ranges::find(group.rows.rbegin(), group.rows.rend(), key, &Row::key);
  FREEHOLD_ASSERT(row != group.rows.rend() && row->values.size() == 2, "a sum has key and units");
  std::int64_t units = number_in(row->values[1]);
  if (__builtin_add_overflow(units, number_in(change.parameters_[1].bytes), &units)) return false;
  row->values[1] = bytes_of(units);
  return true;
}

void PostgresGroups::send() {
  if (groups_.empty()) return;
  std::vector<Group> groups = std::exchange(groups_, {});
  group_of_key_.clear();
  for (Kind& kind : kinds_) kind.newest = 0;
  for (Group& group : groups) send(group);
}

void PostgresGroups::send(Group& group) {
  const Kind& kind = *group.kind;
  std::ranges::sort(group.rows, {}, &Row::key);
  PostgresStatement& statement =
      group.rows.size() == 1 ? connection_.statement(kind.change->text_) : *kind.many;
  statement.reset();
  int number = 0;
  for (std::size_t i = 0; i < kind.types.size(); ++i) {
    const unsigned type = kind.types[i];
    if (group.rows.size() == 1) {
      statement.parameter(static_cast<int>(i) + 1, type).bytes = group.rows.front().values[i];
    } else if (type != 0) {
      statement.begin_array(++number, type, group.rows.size());
      for (const Row& row : group.rows) statement.append_element(number, row.values[i]);
    }
  }
  statement.send_change(kind.expects_one ? static_cast<std::int64_t>(group.rows.size()) : -1);
  statement.reset();
}

}  // namespace freehold
