// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <string>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/sqlite_connection.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class Sqlite : public SqliteTest {
 protected:
  std::filesystem::path data() { return directory_.path() / "data"; }

  static std::string setting_of(SqlTransaction& transaction, const std::string& name) {
    SqlStatement& statement = transaction.statement("pragma " + name);
    EXPECT_TRUE(statement.next());
    return std::string{statement.text(0)};  // and is left in the middle
  }

  std::string setting(const std::string& name) {
    std::string value;
    const Result<> done = database_->write_now([&](SqlTransaction& transaction) -> Result<> {
      value = setting_of(transaction, name);
      return {};
    });
    EXPECT_TRUE(done) << done.error().text();
    return value;
  }

  // Why the database cannot be opened.
  std::string refusal(SqliteOptions options) {
    const auto opened = SqliteDatabase::open(std::move(options));
    if (opened) return "opened";
    EXPECT_TRUE(opened.error().is(errors::database_unavailable));
    return std::string{opened.error().detail()};
  }

  bool is_found_in_a_file(std::string_view text) {
    for (const auto& entry : std::filesystem::directory_iterator{data()}) {
      std::ifstream file{entry.path(), std::ios::binary};
      const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
      if (bytes.find(text) != std::string::npos) return true;
    }
    return false;
  }
};

mode_t mode_of(const std::filesystem::path& path) {
  struct stat found{};
  EXPECT_EQ(::stat(path.c_str(), &found), 0) << path;
  return found.st_mode & 0777;
}

TEST_F(Sqlite, nobody_else_may_look_into_the_directory) {
  EXPECT_EQ(mode_of(data()), 0700U);
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator{data()}) {
    EXPECT_EQ(mode_of(entry.path()), 0600U) << entry.path();
    ++files;
  }
  EXPECT_EQ(files, 4U);  // the database, its log and the log's index, the lock
}

TEST_F(Sqlite, a_directory_that_was_open_to_others_is_closed) {
  database_.reset();
  std::filesystem::permissions(data(), std::filesystem::perms::all);
  std::filesystem::permissions(data() / "database.sqlite", std::filesystem::perms::all);
  open(options());
  EXPECT_EQ(mode_of(data()), 0700U);
  EXPECT_EQ(mode_of(data() / "database.sqlite"), 0600U);
}

TEST_F(Sqlite, a_second_process_is_told_who_has_the_directory) {
  const std::string owner = std::to_string(::getpid());
  const pid_t child = ::fork();
  if (child == 0) {
    const std::string why = refusal(options());
    ::_exit(why.ends_with("data is in use by process " + owner) ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_THAT(refusal(options()), HasSubstr("in use by process"));
  database_.reset();
  open(options());
}

TEST_F(Sqlite, a_place_that_cannot_be_a_directory_is_named) {
  std::ofstream{directory_.path() / "file"} << "no directory";
  SqliteOptions elsewhere = options();
  elsewhere.directory = directory_.path() / "file" / "data";
  EXPECT_THAT(refusal(elsewhere), HasSubstr("file/data cannot be made: Not a directory"));
}

TEST_F(Sqlite, a_file_that_is_no_database_is_refused) {
  database_.reset();
  std::ofstream{data() / "database.sqlite", std::ios::trunc} << std::string(8192, 'x');
  EXPECT_THAT(refusal(options()), HasSubstr("file is not a database"));
}

TEST_F(Sqlite, a_file_of_a_newer_program_is_refused) {
  script("pragma user_version = 1000");
  database_.reset();
  EXPECT_THAT(refusal(options()), HasSubstr("written by a newer program (version 1000"));
}

TEST_F(Sqlite, the_writer_is_set_up_to_lose_nothing) {
  EXPECT_EQ(setting("journal_mode"), "wal");
  EXPECT_EQ(setting("synchronous"), "2");  // full
  EXPECT_EQ(setting("page_size"), "4096");
  EXPECT_EQ(setting("foreign_keys"), "1");
  EXPECT_EQ(setting("temp_store"), "2");  // memory
  EXPECT_EQ(setting("cache_size"), "-8192");
  EXPECT_EQ(setting("mmap_size"), "0");
  EXPECT_EQ(setting("wal_autocheckpoint"), "0");
}

TEST_F(Sqlite, a_reader_has_more_room_for_pages_than_the_writer) {
  std::string of_reader;
  ASSERT_TRUE(database_->read_now(
      [&](SqlTransaction& transaction) { of_reader = setting_of(transaction, "cache_size"); }));
  EXPECT_EQ(of_reader, "-16384");
  EXPECT_EQ(setting("cache_size"), "-8192");
}

TEST_F(Sqlite, memory_statistics_are_off_before_the_first_open) {
  EXPECT_EQ(sqlite3_memory_used(), 0);
}

TEST_F(Sqlite, what_would_end_the_whole_batch_is_refused_when_it_is_prepared) {
  EXPECT_EQ(forbidden_in("insert or rollback into note values (1, '')"), "ROLLBACK");
  EXPECT_EQ(forbidden_in("create trigger t after insert on note begin select raise(rollback, 'x'); "
                         "end"),
            "ROLLBACK");
  EXPECT_EQ(forbidden_in("select 1; Commit"), "COMMIT");
  EXPECT_EQ(forbidden_in("savepoint a"), "SAVEPOINT");
  EXPECT_EQ(forbidden_in("attach 'other' as other"), "ATTACH");
  EXPECT_EQ(forbidden_in("create trigger t after insert on note begin select 1; end; end"), "END");
  EXPECT_EQ(forbidden_in("select 'rollback' -- rollback\n, \"commit\" /* rollback */"), "");
  EXPECT_EQ(forbidden_in("create trigger t after insert on note begin select 1; end"), "");

  submit([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_note, 1, "written before");
    transaction.statement("insert or rollback into note (id, text) values (1, 'again')").execute();
    return {};
  });
  submit([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_note, 2, "a neighbour");
    return {};
  });
  run();
  EXPECT_TRUE(outcome(0).error().is(errors::internal));
  EXPECT_THAT(notes(), ElementsAre(2));
}

// --- Reads ---------------------------------------------------------------------------------------

// Every look at the clock costs a tenth of a second.
class HastyClock final : public Clock {
 public:
  HastyClock() { install(this); }
  ~HastyClock() override { install(nullptr); }
  Time now() const override { return {}; }
  std::chrono::nanoseconds since_start() const override {
    return looks_++ * std::chrono::milliseconds{100};
  }

 private:
  mutable std::atomic<int> looks_ = 0;
};

TEST_F(Sqlite, a_read_has_one_snapshot) {
  EXPECT_TRUE(database_->read_now([this](SqlTransaction& transaction) {
    static constexpr sql::Query<std::int64_t()> count{"select count(*) from note"};
    EXPECT_EQ(transaction.first(count), 0);
    script("insert into note (id, text) values (1, 'meanwhile')");
    EXPECT_EQ(transaction.first(count), 0);
  }));
  EXPECT_THAT(notes(), ElementsAre(1));
}

TEST_F(Sqlite, a_snapshot_that_is_kept_for_the_next_read_is_not_used_after_a_commit) {
  for (std::size_t commits = 1; commits <= 3; ++commits) {
    script("insert into note (text) values ('another')");
    for (int again = 0; again < 3; ++again) EXPECT_EQ(notes().size(), commits);
  }
}

TEST_F(Sqlite, one_statement_that_reads_for_more_than_a_second_is_ended) {
  const HastyClock clock;
  const Result<> done = database_->read_now([](SqlTransaction& transaction) {
    static constexpr sql::Query<std::int64_t()> endless{
        "with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n"};
    (void)transaction.first(endless);
  });
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(errors::read_too_long)) << done.error().text();
}

TEST_F(Sqlite, a_read_of_many_short_statements_is_ended_after_a_second) {
  const HastyClock clock;
  int statements = 0;
  const Result<> done = database_->read_now([&](SqlTransaction& transaction) {
    static constexpr sql::Query<std::int64_t()> count{"select count(*) from note"};
    for (; statements < 1000; ++statements) (void)transaction.first(count);
  });
  ASSERT_FALSE(done);
  EXPECT_TRUE(done.error().is(errors::read_too_long));
  EXPECT_LT(statements, 20);
}

TEST_F(Sqlite, a_connection_serves_on_after_a_read_that_was_ended_or_threw) {
  EXPECT_THROW(
      (void)database_->read_now([](SqlTransaction&) { throw std::runtime_error("fault"); }),
      std::runtime_error);
  script("insert into note (id, text) values (1, 'new')");
  EXPECT_THAT(notes(), ElementsAre(1));
}

TEST_F(Sqlite, to_write_in_a_read_is_a_bug) {
  EXPECT_DEATH((void)database_->read_now(
                   [](SqlTransaction& transaction) { transaction.run(insert_note, 1, "x"); }),
               "a bug: .*insert into note");
  EXPECT_DEATH((void)database_->read_now([](SqlTransaction& transaction) {
    transaction.append(
        {.type = "t.v1", .subject = "s", .partition_key = "s", .recipient = {}, .json = {}});
  }),
               "a read appends no events");
}

// --- Stop, backup, erasure -----------------------------------------------------------------------

TEST_F(Sqlite, a_stop_finishes_what_is_queued_and_refuses_the_rest) {
  submit([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_note, 1, "queued");
    return {};
  });
  database_->stop();
  submit([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_note, 2, "late");
    return {};
  });
  context_.run();
  EXPECT_TRUE(outcome(0));
  EXPECT_TRUE(outcome(1).error().is(errors::shutting_down));
  EXPECT_TRUE(database_->write_now([](SqlTransaction&) -> Result<> { return {}; })
                  .error()
                  .is(errors::shutting_down));
  EXPECT_THAT(notes(), ElementsAre(1));
  EXPECT_EQ(std::filesystem::file_size(data() / "database.sqlite-wal"), 0U);
}

TEST_F(Sqlite, a_backup_is_a_database_of_its_own) {
  script("insert into note (id, text) values (1, 'in the log only')");
  const auto copy = directory_.path() / "copy" / "database.sqlite";
  std::filesystem::create_directory(copy.parent_path());
  const Result<> done = database_->backup_to(copy);
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_EQ(mode_of(copy), 0600U);
  script("insert into note (id, text) values (2, 'later')");

  SqliteOptions of_copy = options();
  of_copy.directory = copy.parent_path();
  open(of_copy);
  EXPECT_THAT(notes(), ElementsAre(1));
  for (const auto& entry : std::filesystem::directory_iterator{copy.parent_path()})
    EXPECT_NE(entry.path().extension(), ".partial");
}

TEST_F(Sqlite, a_backup_that_fails_leaves_no_file) {
  EXPECT_FALSE(database_->backup_to(directory_.path() / "missing" / "copy.sqlite"));
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "missing"));
}

TEST_F(Sqlite, erased_means_gone_from_every_file) {
  SqliteOptions erasing = options();
  erasing.secure_delete = true;
  open(erasing);
  const std::string canary = "canary-8c1f";
  script("insert into note (id, text) values (1, '" + canary + "')");
  EXPECT_TRUE(is_found_in_a_file(canary));
  script("delete from note");
  EXPECT_TRUE(is_found_in_a_file(canary));  // in the log
  const Result<> done = database_->truncate_wal();
  ASSERT_TRUE(done) << done.error().text();
  EXPECT_FALSE(is_found_in_a_file(canary));
  EXPECT_TRUE(database_->truncate_wal());  // once more, with nothing committed since
  script("insert into note (id, text) values (2, 'goes on')");
  EXPECT_THAT(notes(), ElementsAre(2));
}

TEST_F(Sqlite, the_log_stays_bounded_without_a_thread) {
  SqliteOptions small = options();
  small.checkpoint_pages = 50;
  open(small);
  for (int id = 1; id <= 300; ++id) {
    submit([id](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_note, id, std::string(3000, 'x'));
      return {};
    });
    run();
    notes();  // whose snapshot is kept
    ASSERT_LE(database_->statistics().wal_pages, 80U);
  }
  EXPECT_GE(database_->statistics().checkpoints, 5U);
}

}  // namespace
}  // namespace freehold
