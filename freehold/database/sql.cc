// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sql.h"

#include <array>
#include <utility>

namespace freehold::sql {

std::string tables_in(Dialect dialect, std::string_view sqlite) {
  if (dialect == Dialect::sqlite) return std::string{sqlite};
  // A column may be called text: it is a type where something about its values follows.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 7> words{{
      {" integer", " bigint"},
      {" blob", " bytea"},
      {" text not null", " text collate \"C\" not null"},
      {" text primary key", " text collate \"C\" primary key"},
      {" text,", " text collate \"C\","},
      {" text)", " text collate \"C\")"},
      {" without rowid", ""},
  }};
  std::string text;
  while (!sqlite.empty()) {
    const auto* word = words.begin();
    while (word != words.end() && !sqlite.starts_with(word->first)) ++word;
    text += word == words.end() ? sqlite.substr(0, 1) : word->second;
    sqlite.remove_prefix(word == words.end() ? 1 : word->first.size());
  }
  return text;
}

}  // namespace freehold::sql
