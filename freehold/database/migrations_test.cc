// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/migrations.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold::sample {
std::span<const Migration> migrations();  // generated from test_migrations/
}

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using enum MigrationKind;

constexpr Migration first{1, "pages", expand, "create table page (id integer primary key);"};
constexpr Migration second{2, "titles", expand, "alter table page add column title text;"};
constexpr Migration third{3, "no-titles", contract, "alter table page drop column title;"};

class MigrationsTest : public SqliteTest {
 protected:
  std::string refused(std::vector<Migration> migrations) {
    const Result<> done = migrate(*database_, migrations);
    if (done) return "not refused";
    EXPECT_TRUE(done.error().is(errors::database_unavailable));
    return std::string{done.error().detail()};
  }
  void accepted(std::vector<Migration> migrations) {
    const Result<> done = migrate(*database_, migrations);
    EXPECT_TRUE(done) << done.error().text();
  }

  std::vector<std::string> columns_of_page() {
    static constexpr sql::Query<std::string()> names{"select name from pragma_table_info('page')"};
    std::vector<std::string> found;
    EXPECT_TRUE(
        database_->read_now([&](SqlTransaction& transaction) { found = transaction.all(names); }));
    return found;
  }
};

TEST_F(MigrationsTest, steps_run_once_and_in_order) {
  accepted({first});
  EXPECT_THAT(columns_of_page(), ElementsAre("id"));
  accepted({first, second});
  accepted({first, second});
  EXPECT_THAT(columns_of_page(), ElementsAre("id", "title"));
  accepted({first, second, third});
  EXPECT_THAT(columns_of_page(), ElementsAre("id"));
}

TEST_F(MigrationsTest, what_was_run_is_remembered_by_the_file) {
  accepted({first, second});
  open(options());
  accepted({first, second, third});
  EXPECT_THAT(columns_of_page(), ElementsAre("id"));
}

TEST_F(MigrationsTest, an_edited_step_is_refused) {
  accepted({first});
  Migration edited = first;
  edited.text = "create table page (id integer primary key, more text);";
  EXPECT_THAT(refused({edited}),
              HasSubstr("migration 1 (pages) was run as \"pages\" with another"));
  Migration renamed = first;
  renamed.name = "leaves";
  EXPECT_THAT(refused({renamed}), HasSubstr("migration 1 (leaves) was run as \"pages\""));
  Migration other_kind = first;
  other_kind.kind = contract;
  EXPECT_THAT(refused({other_kind, second}), HasSubstr("migration 1"));
  EXPECT_THAT(columns_of_page(), ElementsAre("id"));
}

TEST_F(MigrationsTest, a_gap_is_refused) {
  EXPECT_THAT(refused({first, third}), HasSubstr("migration 3 (no-titles) stands where number 2"));
  accepted({first, second});
  script("delete from freehold_migration where number = 1");
  EXPECT_THAT(refused({first, second}), HasSubstr("migration 1 is missing before migration 2"));
}

TEST_F(MigrationsTest, a_database_of_a_newer_program_is_refused_only_after_a_contract_step) {
  accepted({first, second});
  accepted({first});  // the previous program runs on
  accepted({first, second, third});
  EXPECT_THAT(refused({first, second}), HasSubstr("contract migration 3 (no-titles)"));
}

TEST_F(MigrationsTest, a_step_that_fails_leaves_nothing_of_itself) {
  const Migration broken{2, "broken", expand,
                         "alter table page add column title text; create table nonsense (;"};
  EXPECT_THAT(refused({first, broken}), HasSubstr("migration 2 (broken)"));
  EXPECT_THAT(columns_of_page(), ElementsAre("id"));
  accepted({first, second});
}

TEST_F(MigrationsTest, a_step_may_not_end_its_transaction) {
  EXPECT_THAT(refused({{1, "commits", expand, "create table page (id); commit;"}}),
              HasSubstr("COMMIT"));
  EXPECT_THAT(refused({{1, "rolls-back", expand, "insert or rollback into note values (1, '')"}}),
              HasSubstr("ROLLBACK"));
}

TEST_F(MigrationsTest, steps_are_generated_from_files) {
  const std::span<const Migration> steps = sample::migrations();
  ASSERT_EQ(steps.size(), 2U);
  EXPECT_EQ(steps[0].number, 1);
  EXPECT_EQ(steps[0].name, "pages");
  EXPECT_EQ(steps[0].kind, expand);
  EXPECT_EQ(steps[1].number, 2);
  EXPECT_EQ(steps[1].name, "no-subtitles");
  EXPECT_EQ(steps[1].kind, contract);
  EXPECT_EQ(steps[0].text,
            "-- expand\ncreate table page (\n  id integer primary key,\n"
            "  title text default 'a;b [c] \"d\" \\n ${e} @f@',\n  subtitle text\n);\n");
  EXPECT_EQ(steps[0].text_in(sql::Dialect::sqlite), steps[0].text);
  EXPECT_EQ(steps[0].text_in(sql::Dialect::postgres),
            "-- expand\ncreate table page (id bigint primary key, title text, subtitle text);\n");
  EXPECT_EQ(steps[1].text_in(sql::Dialect::postgres), steps[1].text);
  accepted({steps.begin(), steps.end()});
  EXPECT_THAT(columns_of_page(), ElementsAre("id", "title"));
}

}  // namespace
}  // namespace freehold
