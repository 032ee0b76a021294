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

constexpr std::string_view table =
    "create table if not exists freehold_migration (number integer primary key, name text not "
    "null, "
    "kind text not null, hash text not null, at bigint not null)";
constexpr sql::Query<std::int64_t()> tables_of_migrations{
    sql::Dialects{.sqlite = "select count(*) from sqlite_master where name = 'freehold_migration'",
                  .postgres = "select count(to_regclass('freehold_migration'))"}};
constexpr std::string_view one_at_a_time =
    "select pg_advisory_xact_lock(hashtextextended('freehold_migration', 0))";
constexpr std::string_view lock_in_postgres = "lock table freehold_migration in exclusive mode";
constexpr sql::Query<std::int64_t(int)> was_run{
    "select count(*) from freehold_migration where number = $1"};
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
Result<> check_history(std::span<const Migration> migrations, std::span<const RunMigration> before,
                       sql::Dialect dialect) {
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
    if (run.name != known.name || run.kind != known.kind ||
        run.hash != hash_of(known.text_in(dialect)))
      return refusal(called(known.number, known.name) + " was run as \"" + run.name +
                     "\" with another text; what was run is never edited: add a step");
  }
  return {};
}

// Who may only use the tables, and not make any, finds this one made.
Result<> check(Database& database, std::span<const Migration> migrations, std::size_t& begun) {
  return database.write_now([&](SqlTransaction& transaction) -> Result<> {
    if (transaction.first(tables_of_migrations) == 0) {
      if (transaction.dialect() == sql::Dialect::postgres) transaction.run_script(one_at_a_time);
      transaction.run_script(sql::tables_in(transaction.dialect(), table));
    }
    const std::vector<RunMigration> before = transaction.all(run_before);
    begun = std::min(before.size(), migrations.size());
    return check_history(migrations, before, transaction.dialect());
  });
}

// Where several instances may start at one time, the first holds the others back, and they find the
// step done.
Result<> run(Database& database, const Migration& migration) {
  const Result<> done = database.write_now([&](SqlTransaction& transaction) -> Result<> {
    if (transaction.dialect() == sql::Dialect::postgres) transaction.run_script(lock_in_postgres);
    if (transaction.first(was_run, migration.number) != 0) return {};
    const std::string_view text = migration.text_in(transaction.dialect());
    transaction.run_script(text);
    transaction.run(note, migration.number, std::string{migration.name}, migration.kind,
                    hash_of(text), now());
    return {};
  });
  if (!done) return refusal(called(migration.number, migration.name) + ": " + done.error().text());
  return {};
}

}  // namespace

Result<> migrate(Database& database, std::span<const Migration> migrations) {
  FREEHOLD_TRY(check_numbers(migrations));
  std::size_t begun = 0;
  FREEHOLD_TRY(check(database, migrations, begun));
  for (const Migration& migration : migrations.subspan(begun))
    FREEHOLD_TRY(run(database, migration));
  return {};
}

}  // namespace freehold
