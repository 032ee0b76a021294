// SPDX-License-Identifier: Apache-2.0
//
// A child process commits and acknowledges over a pipe, and is killed; what it acknowledged is
// there afterwards. The child is this program again, with the one test that is disabled.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <set>
#include <string>
#include <thread>

#include "freehold/base/crash_point.h"
#include "freehold/database/sqlite/temporary_database.h"

namespace freehold {
namespace {

constexpr const char* directory_variable = "FREEHOLD_CRASH_TEST_DIRECTORY";
constexpr int pipe_in_child = 3;
constexpr int in_flight = 32;

constexpr sql::Query<std::int64_t()> last_note{"select coalesce(max(id), 0) from note"};

void write_and_acknowledge(Database& database, std::atomic<std::int64_t>& last) {
  const std::int64_t id = ++last;
  database.submit(Urgency::request,
                  Job{[id](SqlTransaction& transaction) -> Result<> {
                        transaction.run(insert_note, id, "acknowledged");
                        transaction.append({.type = "note.written.v1",
                                            .subject = std::to_string(id),
                                            .partition_key = "one",
                                            .recipient = {},
                                            .json = "\"data\":" + std::to_string(id)});
                        return {};
                      },
                      [&database, &last, id](const Result<>& done) {
                        if (!done) return;
                        if (::write(pipe_in_child, &id, sizeof id) != sizeof id) std::abort();
                        write_and_acknowledge(database, last);
                      }});
}

TEST(CrashChild, DISABLED_writes_until_it_is_killed) {
  boost::asio::io_context context;
  const auto work = boost::asio::make_work_guard(context);
  auto opened = SqliteDatabase::open({.directory = std::getenv(directory_variable),  // NOLINT
                                      .executor = context.get_executor(),
                                      .service = "child",
                                      .checkpoint_pages = 20});
  FREEHOLD_ASSERT(opened, opened.error().text().c_str());
  Database& database = **opened;
  std::atomic<std::int64_t> last = 0;
  const Result<> made = database.write_now([&](SqlTransaction& transaction) -> Result<> {
    transaction.run_script("create table if not exists note (id integer primary key, text text)");
    last = *transaction.first(last_note);
    return {};
  });
  FREEHOLD_ASSERT(made, made.error().text().c_str());
  for (int i = 0; i < in_flight; ++i) write_and_acknowledge(database, last);
  context.run();
}

// The child process, its pipe, and what it has acknowledged.
class Child {
 public:
  Child(const std::filesystem::path& directory, const std::string& crash_at) {
    std::array<int, 2> ends{};
    FREEHOLD_ASSERT(::pipe2(ends.data(), O_CLOEXEC) == 0, "no pipe");
    process_ = ::fork();
    if (process_ == 0) {
      ::dup2(ends[1], pipe_in_child);
      ::setenv(directory_variable, directory.c_str(),
               1);  // NOLINT(concurrency-mt-unsafe): one thread
      if (!crash_at.empty())
        ::setenv("FREEHOLD_CRASH_AT", crash_at.c_str(), 1);  // NOLINT(concurrency-mt-unsafe)
      ::execl("/proc/self/exe", "child", "--gtest_filter=CrashChild.*", "--gtest_brief=1",
              "--gtest_also_run_disabled_tests", nullptr);
      ::_exit(1);
    }
    ::close(ends[1]);
    pipe_ = ends[0];
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { ::close(pipe_); }

  void kill() const { ::kill(process_, SIGKILL); }

  // Reads acknowledgements until there are `count`, or until the child is dead.
  void read_acknowledged(std::size_t count) {
    std::int64_t id = 0;
    while (acknowledged_.size() < count && ::read(pipe_, &id, sizeof id) == sizeof id)
      acknowledged_.insert(id);
  }
  // Which signal ended it; 0 if none did.
  int wait() {
    read_acknowledged(SIZE_MAX);
    int status = 0;
    ::waitpid(process_, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  }
  const std::set<std::int64_t>& acknowledged() const { return acknowledged_; }

 private:
  pid_t process_ = 0;
  int pipe_ = -1;
  std::set<std::int64_t> acknowledged_;
};

class SqliteCrash : public SqliteTest {
 protected:
  void SetUp() override {}

  // Everything acknowledged is there, nothing twice, and the log tells the same story as the rows.
  void check(const std::set<std::int64_t>& acknowledged) {
    open(options());
    const std::vector<std::int64_t> rows = notes();
    const std::set<std::int64_t> kept{rows.begin(), rows.end()};
    for (const std::int64_t id : acknowledged) ASSERT_TRUE(kept.contains(id)) << id << " is lost";
    EXPECT_TRUE(database_->read_now([&](SqlTransaction& transaction) {
      std::uint64_t position = 0;
      for (const std::int64_t id : rows) {
        const auto events = transaction.books().events_after(0, position, 1, 1 << 20);
        ASSERT_EQ(events.size(), 1U);
        EXPECT_EQ(events[0].id.position, ++position);
        EXPECT_EQ(events[0].json, "\"data\":" + std::to_string(id));
      }
      EXPECT_EQ(transaction.books().head(0).last.position, position);
    }));
    database_.reset();
  }
};

TEST_F(SqliteCrash, what_was_acknowledged_survives_any_number_of_kills) {
  std::set<std::int64_t> acknowledged;
  for (int round = 0; round < 10; ++round) {
    Child child{directory_.path() / "data", ""};
    child.read_acknowledged(static_cast<std::size_t>(50 + 37 * round));
    child.kill();
    EXPECT_EQ(child.wait(), SIGKILL);
    EXPECT_FALSE(child.acknowledged().empty());
    acknowledged.insert(child.acknowledged().begin(), child.acknowledged().end());
    check(acknowledged);
  }
}

TEST_F(SqliteCrash, what_was_acknowledged_survives_a_death_at_every_crash_point) {
  std::set<std::int64_t> acknowledged;
  int points = 0;
  for (const std::string_view name : crash_points()) {
    if (!name.starts_with("lane.") && !name.starts_with("log.")) continue;
    ++points;
    Child child{directory_.path() / "data", std::string{name} + ":9"};
    EXPECT_EQ(child.wait(), SIGKILL) << name << " was never reached";
    acknowledged.insert(child.acknowledged().begin(), child.acknowledged().end());
    check(acknowledged);
  }
  EXPECT_GE(points, 4);
  EXPECT_GT(acknowledged.size(), 100U);
}

}  // namespace
}  // namespace freehold
