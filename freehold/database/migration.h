// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "freehold/base/result.h"
#include "freehold/database/sql.h"

namespace freehold {

class SqlTransaction;

// What a migration means for the program before it: after `expand` that one still runs, after
// `contract` it does not.
enum class MigrationKind { expand, contract };

// One step of a service's schema; generated from migrations/NNNN-name.sql, whose first line says
// `-- expand` or `-- contract`. Where PostgreSQL must be told otherwise, NNNN-name.postgres.sql
// stands beside it.
struct Migration {
  int number;
  std::string_view name;
  MigrationKind kind;
  std::string_view text;
  std::string_view postgres = {};  // empty: the same

  constexpr std::string_view text_in(sql::Dialect dialect) const {
    return dialect == sql::Dialect::sqlite || postgres.empty() ? text : postgres;
  }
};

}  // namespace freehold
