// SPDX-License-Identifier: Apache-2.0
//
// What the lane does when the storage under SQLite fails.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <future>
#include <string>
#include <thread>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/faulty_storage.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class SqliteFaults : public SqliteTest {
 protected:
  void SetUp() override {
    std::filesystem::create_directory(directory_.path() / "data");
    open(faulty());
    script("create table note (id integer primary key, text text not null)");
  }

  SqliteOptions faulty() {
    SqliteOptions faulty = options();
    faulty.storage = FaultyStorage::name;
    faulty.page_cache_kib = 64;  // so that a large body writes before its commit
    faulty.on_commit_unknown = [this] { ++ends_; };
    return faulty;
  }

  // With a lane and a checkpointer that run by themselves.
  void open_with_threads(int pages_due) {
    SqliteOptions with_threads = faulty();
    with_threads.start_lane = true;
    with_threads.checkpoint_pages = pages_due;
    open(with_threads);
  }

  void submit_note(std::int64_t id, std::size_t bytes) {
    submit([this, id, bytes](SqlTransaction& transaction) -> Result<> {
      transaction.on_commit([this, id] { committed_.push_back(id); });
      transaction.run(insert_note, id, std::string(bytes, 'x'));
      return {};
    });
  }

  // Until the lane, which runs by itself, has told what became of it.
  void write(std::move_only_function<Result<>(SqlTransaction&)> body) {
    context_.restart();
    const auto work = boost::asio::make_work_guard(context_);
    submit(std::move(body));
    while (outcomes_.back().empty()) context_.run_one();
  }

  // A page of the log more; and who writes.
  void write_page(std::int64_t id, std::atomic<std::thread::id>& lane) {
    write([&lane, id](SqlTransaction& transaction) -> Result<> {
      lane = std::this_thread::get_id();
      transaction.run(insert_note, id, std::string(3000, 'x'));
      return {};
    });
  }

  // From now on the log may not grow beyond `bytes`.
  void fill_disk_beyond(std::int64_t bytes) {
    storage_.on_write = [bytes](std::string_view file, std::int64_t end) {
      return file.ends_with("-wal") && end > bytes ? SQLITE_FULL : SQLITE_OK;
    };
  }

  FaultyStorage storage_;
  std::vector<std::int64_t> committed_;
  int ends_ = 0;
};

TEST_F(SqliteFaults, nobody_sees_a_commit_before_it_is_on_disk) {
  int syncs = 0;
  bool appended = false;
  database_->on_appended([&](std::span<const StoredEvent>) { appended = true; });
  storage_.on_sync = [&](std::string_view file) {
    if (!file.ends_with("-wal")) return SQLITE_OK;
    ++syncs;
    EXPECT_THAT(notes(), IsEmpty());
    EXPECT_FALSE(appended);
    context_.restart();
    context_.poll();
    EXPECT_THAT(committed_, IsEmpty());
    EXPECT_TRUE(outcomes_.at(0).empty());
    return SQLITE_OK;
  };
  submit([this](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_note, 1, "x");
    transaction.append({.type = "t.v1",
                        .subject = "s",
                        .partition_key = "s",
                        .recipient = {},
                        .json = "\"data\":1"});
    transaction.on_commit([this] { committed_.push_back(1); });
    return {};
  });
  run();
  storage_.on_sync = nullptr;
  EXPECT_GE(syncs, 1);
  EXPECT_TRUE(outcome(0));
  EXPECT_TRUE(appended);
  EXPECT_THAT(committed_, ElementsAre(1));
  EXPECT_THAT(notes(), ElementsAre(1));
}

TEST_F(SqliteFaults, a_body_that_fills_the_disk_leaves_its_neighbours_whole) {
  fill_disk_beyond(400'000);
  submit_note(1, 10);
  submit_note(2, 1'000'000);
  submit_note(3, 10);
  run();
  EXPECT_TRUE(outcome(0));
  ASSERT_FALSE(outcome(1));
  EXPECT_TRUE(outcome(1).error().is(errors::disk_full)) << outcome(1).error().text();
  EXPECT_TRUE(outcome(2));
  EXPECT_THAT(notes(), ElementsAre(1, 3));
  EXPECT_THAT(committed_, ElementsAre(1, 3));
}

TEST_F(SqliteFaults, a_full_disk_at_the_commit_hurts_only_those_that_do_not_fit) {
  open([&] {
    SqliteOptions roomy = faulty();
    roomy.page_cache_kib = 8192;  // so that nothing is written before the commit
    return roomy;
  }());
  fill_disk_beyond(400'000);
  submit_note(1, 10);
  submit_note(2, 1'000'000);
  submit_note(3, 10);
  run();
  EXPECT_TRUE(outcome(0));
  ASSERT_FALSE(outcome(1));
  EXPECT_TRUE(outcome(1).error().is(errors::disk_full)) << outcome(1).error().text();
  EXPECT_TRUE(outcome(2));
  EXPECT_THAT(notes(), ElementsAre(1, 3));
  storage_.on_write = nullptr;
  submit_note(4, 1'000'000);
  run();
  EXPECT_TRUE(outcome(3));
  EXPECT_EQ(ends_, 0);
}

TEST_F(SqliteFaults, a_body_that_swallows_the_loss_of_its_transaction_commits_nothing_by_itself) {
  fill_disk_beyond(400'000);
  submit([](SqlTransaction& transaction) -> Result<> {
    try {
      transaction.run(insert_note, 1, std::string(1'000'000, 'x'));
    } catch (const std::exception&) {  // NOLINT: this is the mistake
    }
    try {
      transaction.run(insert_note, 2, "outside of any transaction");
    } catch (const std::exception&) {  // NOLINT
    }
    return {};
  });
  submit_note(3, 10);
  run();
  EXPECT_FALSE(outcome(0));
  EXPECT_TRUE(outcome(1));
  EXPECT_THAT(notes(), ElementsAre(3));
}

TEST_F(SqliteFaults, an_error_at_the_commit_is_unknown_and_ends_the_process) {
  storage_.on_sync = [](std::string_view file) {
    return file.ends_with("-wal") ? SQLITE_IOERR_FSYNC : SQLITE_OK;
  };
  submit_note(1, 10);
  submit_note(2, 10);
  run();
  storage_.on_sync = nullptr;
  EXPECT_TRUE(outcome(0).error().is(errors::commit_unknown));
  EXPECT_TRUE(outcome(1).error().is(errors::commit_unknown));
  EXPECT_EQ(ends_, 1);
  submit_note(3, 10);
  run();
  EXPECT_TRUE(outcome(2).error().is(errors::database_unavailable));
  EXPECT_THAT(committed_, IsEmpty());
  EXPECT_EQ(ends_, 1);
}

TEST_F(SqliteFaults, the_process_ends_by_itself_after_an_unknown_commit) {
  SqliteOptions as_in_service = faulty();
  as_in_service.on_commit_unknown = nullptr;
  open(as_in_service);
  storage_.on_sync = [](std::string_view) { return SQLITE_IOERR_FSYNC; };
  submit_note(1, 10);
  EXPECT_EXIT(run(), ::testing::ExitedWithCode(1), "a commit has an unknown outcome");
  storage_.on_sync = nullptr;
}

// The kernel tells of a failed write once: a later sync of the same file says that all is well.
TEST_F(SqliteFaults, the_log_is_kept_when_the_file_could_not_be_synced) {
  constexpr int pages_due = 100;
  open_with_threads(pages_due);
  std::atomic<std::thread::id> lane;
  std::atomic<int> carried_by_lane = 0;
  std::promise<void> failed;
  std::atomic<bool> has_failed = false;
  storage_.on_write = [&](std::string_view file, std::int64_t) {
    if (file.ends_with(".sqlite") && std::this_thread::get_id() == lane) ++carried_by_lane;
    return SQLITE_OK;
  };
  storage_.on_sync = [&](std::string_view file) {
    if (!file.ends_with(".sqlite") || has_failed.exchange(true)) return SQLITE_OK;
    failed.set_value();
    return SQLITE_IOERR_FSYNC;
  };
  std::int64_t id = 0;
  auto has_been_tried = failed.get_future();
  while (has_been_tried.wait_for(0s) != std::future_status::ready) write_page(++id, lane);
  carried_by_lane = 0;
  for (int i = 0; i < 4 * pages_due; ++i) write_page(++id, lane);
  EXPECT_EQ(database_->statistics().checkpoints, 0U);
  EXPECT_EQ(carried_by_lane, 0);
  database_.reset();
  storage_.on_write = nullptr;
  storage_.on_sync = nullptr;
}

TEST_F(SqliteFaults, what_is_written_during_a_pass_is_carried_by_another_one) {
  constexpr int pages_due = 100;
  open_with_threads(pages_due);
  std::atomic<std::thread::id> lane;
  std::atomic<bool> has_begun = false;
  storage_.on_write = [&](std::string_view file, std::int64_t) {
    if (!file.ends_with(".sqlite") || std::this_thread::get_id() == lane) return SQLITE_OK;
    if (has_begun.exchange(true)) return SQLITE_OK;
    const Deadline latest = deadline_in(10s);
    while (database_->statistics().wal_pages < 3 * pages_due && SteadyClock::now() < latest)
      std::this_thread::yield();
    return SQLITE_OK;
  };
  std::int64_t id = 0;
  while (database_->statistics().passes < 2 && database_->statistics().checkpoints == 0)
    write_page(++id, lane);
  EXPECT_EQ(database_->statistics().passes, 2U);
  EXPECT_EQ(database_->statistics().checkpoints, 0U) << "the lane had all of it to carry";
  database_.reset();
  storage_.on_write = nullptr;
}

// Right after a complete one it might meet SQLite's bug: a log that is still needed begins anew.
TEST_F(SqliteFaults, commits_that_write_nothing_lead_to_no_other_pass) {
  open_with_threads(100);
  constexpr int notes = 300;
  std::atomic<int> carried = 0;
  storage_.on_write = [&](std::string_view file, std::int64_t) {
    if (file.ends_with(".sqlite")) ++carried;
    return SQLITE_OK;
  };
  const auto write_many = [&](int count) {
    write([count](SqlTransaction& transaction) -> Result<> {
      for (int id = 1; id <= count; ++id) transaction.run(insert_note, id, std::string(3000, 'x'));
      return {};
    });
  };
  write_many(notes);
  while (carried < notes) write_many(0);
  for (const Deadline end = deadline_in(300ms); SteadyClock::now() < end;) write_many(0);
  EXPECT_EQ(database_->statistics().passes, 1U);
  EXPECT_EQ(database_->statistics().checkpoints, 0U);
  database_.reset();
  storage_.on_write = nullptr;
}

}  // namespace
}  // namespace freehold
