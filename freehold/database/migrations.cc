// SPDX-License-Identifier: Apache-2.0
//
// freehold_migration(number, name, kind, hash, at): a row for each step that was run. `kind` is
// expand or contract, `hash` the FNV-1a of the text in 16 hexadecimal digits.
#include "freehold/database/migrations.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/errors.h"
#include "freehold/base/hash.h"
#include "freehold/schema/described.h"

namespace freehold {

BOOST_DESCRIBE_ENUM(MigrationKind, expand, contract)

namespace {

struct RunMigration {
  int number = 0;
  std::string name;
  MigrationKind kind = MigrationKind::expand;
  std::string hash;
};
BOOST_DESCRIBE_STRUCT(RunMigration, (), (number, name, kind, hash))

constexpr std::string_view create_table =
    "create table if not exists freehold_migration (number integer primary key, name text not null,"
    " kind text not null, hash text not null, at bigint not null)";
constexpr sql::Query<RunMigration()> run_before{
    "select number, name, kind, hash from freehold_migration order by number"};
constexpr sql::Change<void(int, std::string, MigrationKind, std::string, Time)> note{
    "insert into freehold_migration (number, name, kind, hash, at) values ($1, $2, $3, $4, $5)"};

std::string hash_of(std::string_view text) {
  std::array<char, 17> digits{};
  std::snprintf(digits.data(), digits.size(), "%016llx",
                static_cast<unsigned long long>(fnv1a(text)));
  return digits.data();
}

std::string called(int number, std::string_view name) {
  return "migration " + std::to_string(number) + " (" + std::string{name} + ")";
}

Error refusal(std::string why) {
  return {errors::database_unavailable, std::move(why)};
}

Result<> check_numbers(std::span<const Migration> migrations) {
  int number = 0;
  for (const Migration& migration : migrations)
    if (migration.number != ++number)
      return refusal(called(migration.number, migration.name) + " stands where number " +
                     std::to_string(number) + " must be");
  return {};
}

// Whether this program can go on from what was run before.
Result<> check_history(std::span<const Migration> migrations,
                       std::span<const RunMigration> before) {
  int number = 0;
  for (const RunMigration& run : before) {
    if (run.number != ++number)
      return refusal("migration " + std::to_string(number) + " is missing before " +
                     called(run.number, run.name) + ", which was run");
    if (static_cast<std::size_t>(number) > migrations.size()) {
      if (run.kind == MigrationKind::contract)
        return refusal("the database has had the contract " + called(run.number, run.name) +
                       ", which this program does not know: it is made for a newer one");
      continue;
    }
    const Migration& known = migrations[static_cast<std::size_t>(number) - 1];
    if (run.name != known.name || run.kind != known.kind || run.hash != hash_of(known.text))
      return refusal(called(known.number, known.name) + " was run as \"" + run.name +
                     "\" with another text; what was run is never edited: add a step");
  }
  return {};
}

Result<std::vector<RunMigration>> history(Database& database) {
  std::vector<RunMigration> before;
  FREEHOLD_TRY(database.write_now([&](SqlTransaction& transaction) -> Result<> {
    transaction.run_script(create_table);
    before = transaction.all(run_before);
    return {};
  }));
  return before;
}

Result<> run(Database& database, const Migration& migration) {
  const Result<> done = database.write_now([&](SqlTransaction& transaction) -> Result<> {
    transaction.run_script(migration.text);
    transaction.run(note, migration.number, std::string{migration.name}, migration.kind,
                    hash_of(migration.text), now());
    return {};
  });
  if (!done) return refusal(called(migration.number, migration.name) + ": " + done.error().text());
  return {};
}

}  // namespace

Result<> migrate(Database& database, std::span<const Migration> migrations) {
  FREEHOLD_TRY(check_numbers(migrations));
  FREEHOLD_TRY(auto before, history(database));
  FREEHOLD_TRY(check_history(migrations, before));
  for (const Migration& migration : migrations.subspan(std::min(before.size(), migrations.size())))
    FREEHOLD_TRY(run(database, migration));
  return {};
}

}  // namespace freehold
