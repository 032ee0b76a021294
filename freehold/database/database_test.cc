// SPDX-License-Identifier: Apache-2.0
//
// write() and read() as a route calls them: from coroutines, with the lane's own threads.
#include "freehold/database/database.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_future.hpp>
#include <future>
#include <latch>
#include <optional>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/temporary_database.h"

// NOLINTBEGIN(cppcoreguidelines-avoid-reference-coroutine-parameters): each test waits for its
// tasks

namespace freehold {
namespace {

constexpr sql::Query<std::int64_t()> count_notes{"select count(*) from note"};
constexpr sql::Query<std::int64_t()> sum_of_notes{"select coalesce(sum(id), 0) from note"};

// co_spawn asks for a default value, which a Result does not have.
template <class T>
Task<> keep(Task<T> task, std::optional<T>& value) {
  value.emplace(co_await std::move(task));
}

class DatabaseTest : public ::testing::Test {
 public:
  DatabaseTest() : work_(context_.get_executor()), thread_([this] { context_.run(); }) { open(); }
  ~DatabaseTest() override {
    database_.reset();
    work_.reset();
    if (thread_.joinable()) thread_.join();
  }

 protected:
  void open(int checkpoint_pages = 4000) {
    database_.reset();
    auto opened = SqliteDatabase::open({.directory = directory_.path() / "data",
                                        .executor = context_.get_executor(),
                                        .service = "test",
                                        .storage = {},
                                        .checkpoint_pages = checkpoint_pages,
                                        .on_commit_unknown = {}});
    ASSERT_TRUE(opened) << opened.error().text();
    database_ = *std::move(opened);
    const Result<> made = database_->write_now([](SqlTransaction& transaction) -> Result<> {
      transaction.run_script(
          "create table if not exists note (id integer primary key, text text not null)");
      return {};
    });
    ASSERT_TRUE(made);
  }

  template <class T>
  T run(Task<T> task) {
    std::optional<T> value;
    boost::asio::co_spawn(context_, keep(std::move(task), value), boost::asio::use_future).get();
    return *std::move(value);
  }

  TemporaryDirectory directory_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;
  std::unique_ptr<SqliteDatabase> database_;
};

Task<Result<std::string>> write_note(Database& database, std::int64_t id, std::string text) {
  co_return co_await database.write([id, text](SqlTransaction& transaction) {
    transaction.run(insert_note, id, text);
    return text + " was written";
  });
}

Task<Result<std::int64_t>> read_count(Database& database) {
  co_return co_await database.read(
      [](SqlTransaction& transaction) { return *transaction.first(count_notes); });
}

TEST_F(DatabaseTest, write_returns_what_the_body_returned) {
  EXPECT_EQ(*run(write_note(*database_, 1, "it")), "it was written");
  EXPECT_EQ(*run(read_count(*database_)), 1);
}

Task<Result<>> write_refused(Database& database) {
  co_return co_await database.write([](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_note, 1, "undone");
    return Error{errors::forbidden, "for a reason"};
  });
}

Task<Result<>> write_throwing(Database& database) {
  co_return co_await database.write([](SqlTransaction& transaction) {
    transaction.run(insert_note, 1, "undone");
    throw std::runtime_error("a fault");
  });
}

TEST_F(DatabaseTest, a_body_knows_the_trace_that_it_was_given_and_no_other) {
  const auto trace_parent = [](SqlTransaction& transaction) {
    return std::string{transaction.trace_parent()};
  };
  EXPECT_EQ(run(database_->write(trace_parent, "00-11-22-01")), "00-11-22-01");
  EXPECT_EQ(run(database_->write(trace_parent)), "");
}

TEST_F(DatabaseTest, a_refusal_or_a_fault_of_the_body_is_returned) {
  EXPECT_EQ(run(write_refused(*database_)).error(), Error(errors::forbidden, "for a reason"));
  EXPECT_TRUE(run(write_throwing(*database_)).error().is(errors::internal));
  EXPECT_EQ(*run(read_count(*database_)), 0);
}

Task<bool> goes_on_in_its_strand(Database& database,
                                 boost::asio::strand<boost::asio::any_io_executor> strand) {
  const auto done = co_await write_note(database, 1, "x");
  co_return done.has_value() && strand.running_in_this_thread();
}

TEST_F(DatabaseTest, a_coroutine_goes_on_where_it_ran) {
  const auto strand =
      boost::asio::make_strand(boost::asio::any_io_executor{context_.get_executor()});
  EXPECT_TRUE(boost::asio::co_spawn(strand, goes_on_in_its_strand(*database_, strand),
                                    boost::asio::use_future)
                  .get());
}

Task<int> count_those_that_went_on_too_early(Database* database, boost::asio::any_io_executor own) {
  int early = 0;
  for (int i = 0; i < 200; ++i) {
    auto followed = std::make_shared<std::atomic<bool>>(false);
    const auto written = co_await database->write([followed](SqlTransaction& transaction) {
      transaction.on_commit([followed] { *followed = true; });
    });
    const bool is_here = co_await boost::asio::this_coro::executor == own;
    if (!written || !is_here || !*followed) ++early;
  }
  co_return early;
}

TEST_F(DatabaseTest, what_follows_a_commit_has_run_when_a_caller_on_any_thread_goes_on) {
  boost::asio::io_context other;
  auto early = boost::asio::co_spawn(
      other, count_those_that_went_on_too_early(&*database_, other.get_executor()),
      boost::asio::use_future);
  other.run();
  EXPECT_EQ(early.get(), 0);
  database_.reset();  // whoever posted here may still be at it
  work_.reset();
  thread_.join();
}

TEST_F(DatabaseTest, a_stop_ends_every_wait) {
  std::vector<std::optional<Result<std::string>>> outcomes(1000);
  std::vector<std::future<void>> waits;
  waits.reserve(outcomes.size());
  for (std::size_t i = 0; i < outcomes.size(); ++i)
    waits.push_back(boost::asio::co_spawn(
        context_, keep(write_note(*database_, static_cast<std::int64_t>(i), "x"), outcomes[i]),
        boost::asio::use_future));
  database_->stop();
  std::int64_t written = 0;
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    waits[i].get();
    if (outcomes[i]->has_value()) {
      ++written;
    } else {
      EXPECT_TRUE(outcomes[i]->error().is(errors::shutting_down));
    }
  }
  EXPECT_EQ(*run(read_count(*database_)), written);
}

TEST_F(DatabaseTest, a_coroutine_that_is_destroyed_while_its_job_waits_leaves_nothing_dangling) {
  std::optional<Result<std::string>> outcome;
  std::latch polled{1};
  database_->submit(Urgency::request, Job{[&](SqlTransaction&) -> Result<> {
                                            polled.wait();
                                            return {};
                                          },
                                          [](const Result<>&) {}});
  auto elsewhere = std::make_unique<boost::asio::io_context>();
  boost::asio::co_spawn(*elsewhere, keep(write_note(*database_, 1, "x"), outcome),
                        boost::asio::detached);
  elsewhere->poll();
  polled.count_down();
  database_->stop();
  boost::asio::post(context_, boost::asio::use_future).get();  // the outcome is told
  elsewhere.reset();                                           // and never heard
  EXPECT_FALSE(outcome);
  EXPECT_EQ(*run(read_count(*database_)), 1);
}

// --- Races ---------------------------------------------------------------------------------------

Task<> increments(Database& database, int rounds, std::atomic<int>& failures) {
  static constexpr sql::Query<std::string()> counter{"select text from note where id = 1"};
  static constexpr sql::Change<void(std::string)> set{"update note set text = $1 where id = 1"};
  for (int round = 0; round < rounds; ++round) {
    const Result<> done = co_await database.write([](SqlTransaction& transaction) {
      const int value = std::stoi(*transaction.first(counter));
      transaction.run(set, std::to_string(value + 1));
    });
    if (!done) ++failures;
  }
}

TEST_F(DatabaseTest, no_update_of_many_writers_is_lost) {
  ASSERT_TRUE(run(write_note(*database_, 1, "0")));
  std::atomic<int> failures = 0;
  std::vector<std::future<void>> writers;
  writers.reserve(50);
  for (int i = 0; i < 50; ++i)
    writers.push_back(boost::asio::co_spawn(context_, increments(*database_, 20, failures),
                                            boost::asio::use_future));
  for (auto& writer : writers) writer.get();
  EXPECT_EQ(failures, 0);
  EXPECT_TRUE(database_->read_now([](SqlTransaction& transaction) {
    static constexpr sql::Query<std::string()> counter{"select text from note where id = 1"};
    EXPECT_EQ(transaction.first(counter), "1000");
  }));
}

// Writers that keep the log growing until they are told to stop; every batch keeps the rule that
// notes come in pairs.
class PairWriters {
 public:
  explicit PairWriters(Database& database, int in_flight) : database_(database) {
    for (int i = 0; i < in_flight; ++i) write_next();
  }
  ~PairWriters() {
    stopping_ = true;
    while (const int waiting = in_flight_) in_flight_.wait(waiting);
  }
  std::int64_t written() const { return written_; }

 private:
  void write_next() {
    ++in_flight_;
    const std::int64_t id = ++last_;
    database_.submit(Urgency::request,
                     Job{[id](SqlTransaction& transaction) -> Result<> {
                           transaction.run(insert_note, id, std::string(500, 'x'));
                           transaction.run(insert_note, -id, std::string(500, 'x'));
                           return {};
                         },
                         [this](const Result<>& done) {
                           EXPECT_TRUE(done);
                           ++written_;
                           if (!stopping_) write_next();
                           --in_flight_;
                           in_flight_.notify_all();
                         }});
  }

  Database& database_;
  std::atomic<std::int64_t> last_ = 0;
  std::atomic<std::int64_t> written_ = 0;
  std::atomic<int> in_flight_ = 0;
  std::atomic<bool> stopping_ = false;
};

TEST_F(DatabaseTest, the_log_stays_bounded_under_constant_writes_and_reads) {
  constexpr int pages = 200;
  constexpr unsigned checkpoints = 24;  // one that never began anew would hold as many times that
  open(pages);
  std::uintmax_t largest = 0;
  {
    const PairWriters writers{*database_, 64};
    while (database_->statistics().checkpoints < checkpoints) {
      const Result<> done = database_->read_now(
          [](SqlTransaction& transaction) { EXPECT_EQ(transaction.first(sum_of_notes), 0); });
      ASSERT_TRUE(done) << done.error().text();
      largest = std::max(
          largest, std::filesystem::file_size(directory_.path() / "data" / "database.sqlite-wal"));
    }
  }
  EXPECT_LT(largest, checkpoints / 2 * pages * 4096ULL);
}

TEST_F(DatabaseTest, a_backup_beside_writers_holds_one_moment) {
  const auto copies = directory_.path() / "copy";
  std::filesystem::create_directory(copies);
  {
    const PairWriters writers{*database_, 64};
    while (writers.written() < 500) std::this_thread::yield();
    const Result<> done = database_->backup_to(copies / "database.sqlite");
    ASSERT_TRUE(done) << done.error().text();
  }
  auto copy = SqliteDatabase::open({.directory = copies,
                                    .executor = context_.get_executor(),
                                    .service = "copy",
                                    .storage = {},
                                    .on_commit_unknown = {}});
  ASSERT_TRUE(copy) << copy.error().text();
  EXPECT_TRUE((*copy)->read_now([](SqlTransaction& transaction) {
    EXPECT_GE(*transaction.first(count_notes), 1000);
    EXPECT_EQ(transaction.first(sum_of_notes), 0);
    EXPECT_EQ(transaction.statement("pragma integrity_check").next(), true);
  }));
}

TEST_F(DatabaseTest, the_log_is_emptied_beside_writers_and_readers) {
  const PairWriters writers{*database_, 16};
  for (int i = 0; i < 5; ++i) {
    const Result<> done = database_->truncate_wal();
    EXPECT_TRUE(done) << done.error().text();
    EXPECT_EQ(*run(read_count(*database_)) % 2, 0);
  }
}

}  // namespace
}  // namespace freehold

// NOLINTEND(cppcoreguidelines-avoid-reference-coroutine-parameters)
