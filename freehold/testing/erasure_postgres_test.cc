// SPDX-License-Identifier: Apache-2.0
//
// What was erased, as somebody with the server's disk looks for it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/id.h"
#include "freehold/database/postgres/temporary_postgres.h"

namespace freehold {
namespace {

using std::chrono::seconds;
using testing::IsEmpty;
using testing::Not;

constexpr sql::Change<void(std::int64_t, std::string_view)> insert_person{
    "insert into person (id, email) values ($1, $2)"};
constexpr sql::Change<void(std::int64_t)> delete_person{"delete from person where id = $1"};

class ErasureOnServer : public PostgresTest {
 public:
  // As deploy/postgres sets up its cluster: a log's segment is deleted, and not used again.
  ErasureOnServer() : cluster_("wal_recycle = off"), name_(cluster_.create_database()) {
    database_ = open(options(cluster_.url(name_)));
    run("create table person (id bigint primary key, email text unique); "
        "comment on table person is 'personal data'; "
        "alter table person alter column email set statistics 0");
    for (int id = 1; id <= 100; ++id) add(id, "somebody@example.org " + std::to_string(id));
    add(1000, canary_);
  }
  ~ErasureOnServer() override { database_.reset(); }

 protected:
  std::string run(const std::string& script) const { return cluster_.run(name_, script); }
  void add(std::int64_t id, const std::string& email) {
    ASSERT_TRUE(write(*database_, [&](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_person, id, email);
      return {};
    }));
  }
  void erase(std::int64_t id) {
    ASSERT_TRUE(write(*database_, [&](SqlTransaction& transaction) -> Result<> {
      transaction.run(delete_person, id);
      transaction.erased();
      return {};
    }));
  }
  // What the server does by itself, in time.
  void cut_the_log() const { run("checkpoint"); }
  std::string file_of_the_table() const { return run("select pg_relation_filepath('person')"); }

  ScratchCluster cluster_;
  const std::string name_;
  const std::string canary_ = "canary" + to_text(make_id_bytes());
  std::unique_ptr<PostgresDatabase> database_;
};

TEST_F(ErasureOnServer, is_in_no_file_when_the_tables_were_written_anew_and_the_log_was_cut) {
  run("vacuum analyze person");
  erase(1000);
  run("vacuum person");
  cut_the_log();
  EXPECT_THAT(cluster_.files_with(canary_), Not(IsEmpty()))
      << "VACUUM is enough on this server: the tables need not be written anew";

  const Result<> erased = database_->erase_for_good(now() + seconds{1});
  ASSERT_TRUE(erased) << erased.error().text();
  cut_the_log();
  EXPECT_THAT(cluster_.files_with(canary_), IsEmpty());
  EXPECT_EQ(run("select count(*) from person"), "100");
}

TEST_F(ErasureOnServer, writes_tables_anew_only_after_an_erasure_and_once) {
  const std::string before = file_of_the_table();
  ASSERT_TRUE(database_->erase_for_good(now() + seconds{1}));
  EXPECT_EQ(file_of_the_table(), before) << "nothing was erased";
  erase(1000);
  ASSERT_TRUE(database_->erase_for_good(now() - seconds{10}));
  EXPECT_EQ(file_of_the_table(), before) << "a read may see it still";
  ASSERT_TRUE(database_->erase_for_good(now() + seconds{1}));
  const std::string anew = file_of_the_table();
  EXPECT_NE(anew, before);
  ASSERT_TRUE(database_->erase_for_good(now() + seconds{1}));
  EXPECT_EQ(file_of_the_table(), anew);
}

}  // namespace
}  // namespace freehold
