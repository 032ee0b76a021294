// SPDX-License-Identifier: Apache-2.0
//
// Sagas in a process that is killed. This program is also that process: with --service it opens a
// database, brings one saga to its end as far as it gets, and plays the peer that answers it. What
// the peer has done lies in the same database and moves with its cursor, so what is counted at the
// end is what the sagas did, however often the process died.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <future>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>

#include "freehold/base/crash_point.h"
#include "freehold/database/postgres/scratch_cluster.h"
#include "freehold/saga/order_example.h"
#include "freehold/saga/sagas.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/scratch_database.h"

namespace freehold {
namespace {

using namespace example;
using testing::ElementsAre;

// --- The service ---------------------------------------------------------------------------------

struct Trip {
  std::string order;
  std::string kind;  // what happens to it: see scenarios
};
BOOST_DESCRIBE_STRUCT(Trip, (), (order, kind))

// Fails twice, by what the database knows of its attempts.
void stumble(SqlTransaction& transaction, const std::string& saga) {
  const auto attempts = transaction.books().aside_of("saga", saga);
  if (attempts.empty() || attempts.front().attempts < 3) throw std::runtime_error("not yet");
}

Saga travel(Checkout saga, Trip trip) {
  const std::string order = trip.order;
  auto held = co_await saga.request(Hold{order, 1}).undo(Release{order}).within(24h);
  if (!held) co_return co_await saga.fail("reject", become(order, "rejected"));
  if (trip.kind == "sleeps") co_await saga.sleep(1h);
  auto charged = co_await saga.request(Charge{order}).undo(Refund{order}).within(24h);
  if (!charged) co_return co_await saga.fail("reject", become(order, "rejected"));
  auto confirmed = co_await saga.run("confirm", [order, kind = trip.kind](SqlTransaction& t) {
    become(order, "confirmed")(t);
    if (kind == "stumbles") stumble(t, "travel.v1/" + order);
    if (kind == "kills") std::raise(SIGKILL);
  });
  if (!confirmed) co_return;
  co_await saga.tell(Sell{order});
}
constexpr SagaDefinition travelling{"travel.v1", travel};

constexpr std::string_view peer_table = "create table peer (position integer not null)";
constexpr sql::Query<std::int64_t()> peer_position{"select position from peer"};
constexpr sql::Change<void(std::int64_t)> move_peer{"update peer set position = $1"};

struct SentCommand {
  std::string type;
  std::string subject;
  std::optional<std::string> requestid;
};
BOOST_DESCRIBE_STRUCT(SentCommand, (), (type, subject, requestid))

// Takes the next command of the log: notes its effect, answers it as the kind of trip says, and
// moves on, in one transaction. Whether there was one.
bool play_peer(SqlTransaction& transaction, Sagas& sagas, std::string_view kind) {
  const std::int64_t position = transaction.first(peer_position).value();
  const auto events =
      transaction.books().events_after(0, static_cast<std::uint64_t>(position), 1, 1 << 20);
  if (events.empty()) return false;
  transaction.run(move_peer, position + 1);
  const auto command =
      read_json<SentCommand>("{" + events[0].json + "}", Strictness::tolerant).value();
  transaction.run(add_effect, "peer", command.type);
  if (!command.requestid || (kind == "times_out" && command.type == Charge::type)) return true;
  const bool is_refused = kind == "is_refused" && command.type == Charge::type;
  const std::string data =
      is_refused ? R"({"status":"refused","error":)" + error_to_json(out_of_stock) + "}"
                 : R"({"status":"done","reply":)" + to_json(Done{command.subject}) + "}";
  Delivery delivery{};
  delivery.source = service_of(command.type);
  delivery.in_reply_to = *command.requestid;
  delivery.data = data;
  sagas.take_reply(transaction, delivery);
  return true;
}

void note_crash_point(std::string_view name) {
  if (!name.starts_with("saga.")) return;
  std::ofstream{std::getenv("FREEHOLD_SEEN"), std::ios::app} << name << '\n';  // NOLINT
}

// Returns 0 when the saga is done for: ended, failed or parked.
int serve(const std::string& place, const std::string& kind) {
  if (std::getenv("FREEHOLD_SEEN")) install_crash_point_hook(note_crash_point);  // NOLINT
  set_own_service("order");
  ManualClock clock;
  ScratchDatabase database{place};
  Sagas sagas{*database, database.executor()};
  sagas.runs(travelling);
  const auto written = [&](const std::function<void(SqlTransaction&)>& body) {
    const Result<> done = database.write([&](SqlTransaction& transaction) -> Result<> {
      body(transaction);
      return {};
    });
    FREEHOLD_ASSERT(done, done.error().text().c_str());
  };
  written([&](SqlTransaction& transaction) {
    if (transaction.books().document("made")) return;
    transaction.run_script(
        sql::tables_in(transaction.dialect(), std::string{tables} + std::string{peer_table}) +
        "; insert into peer values (0)");
    transaction.books().put_document("made", "yes");
  });
  if (!sagas.start()) return 1;
  written([&](SqlTransaction& transaction) {
    if (transaction.books().saga("travel.v1/7")) return;
    transaction.run(insert_order, "7");
    travelling.start(transaction, "7", {"7", kind});
  });
  for (int hours = 0; hours < 100; ++hours) {
    const auto saga = database.read(
        [](SqlTransaction& transaction) { return transaction.books().saga("travel.v1/7"); });
    for (bool more = true; more;)
      written([&](SqlTransaction& transaction) { more = play_peer(transaction, sagas, kind); });
    if (saga->status != SagaStatus::running) {
      database.run(sagas.stop());
      return 0;
    }
    const auto fired = database.run(sagas.fire_due());
    FREEHOLD_ASSERT(fired, fired.error().text().c_str());
    if (fired.value() == 0) clock.advance(1h);
  }
  return 1;
}

// --- The tests -----------------------------------------------------------------------------------

// On both databases: a directory or a server's database for each run.
class CrashTest : public testing::TestWithParam<sql::Dialect> {
 public:
  CrashTest()
      : root_(std::filesystem::temp_directory_path() / ("freehold-" + to_text(make_id_bytes()))) {
    std::filesystem::create_directories(root_);
  }
  ~CrashTest() override { std::filesystem::remove_all(root_); }

 protected:
  // Where a service is run, once or several times; its end deletes it.
  class Place {
   public:
    explicit Place(const std::filesystem::path& directory)
        : name_(GetParam() == sql::Dialect::postgres ? create_database() : ""),
          text_(name_.empty() ? directory.string() : ScratchCluster::shared().url(name_)) {}
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (!name_.empty()) ScratchCluster::shared().drop_database(name_);
    }
    const std::string& text() const { return text_; }

   private:
    static std::string create_database() {
      static std::mutex mutex;
      const std::lock_guard lock{mutex};
      return ScratchCluster::shared().create_database();
    }
    const std::string name_;
    const std::string text_;
  };
  Place place(const std::string& name) const { return Place{root_ / name}; }

  // Runs the service there to its end, or to its death at `crash_at`. Whether it died.
  bool run(const Place& place, const std::string& kind, const std::string& crash_at) {
    std::vector<std::string> environment{"FREEHOLD_CRASH_AT=" + crash_at};
    if (crash_at == "census") environment.push_back("FREEHOLD_SEEN=" + seen(kind).string());
    std::vector<char*> variables;
    for (std::string& each : environment) variables.push_back(each.data());
    variables.push_back(nullptr);
    std::string arguments[] = {"saga_crash_test", "--service", place.text(), kind};
    char* argv[] = {arguments[0].data(), arguments[1].data(), arguments[2].data(),
                    arguments[3].data(), nullptr};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", 1 /* O_WRONLY */, 0);
    pid_t child = 0;
    const int error =
        posix_spawn(&child, "/proc/self/exe", &actions, nullptr, argv, variables.data());
    posix_spawn_file_actions_destroy(&actions);
    EXPECT_EQ(error, 0);
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
      EXPECT_EQ(WTERMSIG(status), SIGKILL) << kind << " at " << crash_at;
      return true;
    }
    EXPECT_EQ(WEXITSTATUS(status), 0) << kind << " at " << crash_at;
    return false;
  }

  // How often a run of that kind comes past each crash point of the sagas.
  std::map<std::string, int> census(const std::string& kind) {
    EXPECT_FALSE(run(place("census-" + kind), kind, "census"));
    std::map<std::string, int> counts;
    std::ifstream file{seen(kind)};
    for (std::string name; std::getline(file, name);) ++counts[name];
    return counts;
  }

  // Kills the service at each visit of each crash point; returns the points at which it died.
  std::set<std::string> kill_everywhere(const std::string& kind) {
    std::set<std::string> reached;
    for (const auto& [point, visits] : census(kind)) {
      for (int visit = 1; visit <= visits; ++visit) {
        const std::string trace = point + ":" + std::to_string(visit);
        const Place there = place(kind + "-" + trace);
        if (run(there, kind, trace)) reached.insert(point);
        // Once more at the same point, if the restarted service comes there, then in peace.
        run(there, kind, point);
        EXPECT_FALSE(run(there, kind, "nowhere"));
        expect_whole(kind, end_of(there), trace);
      }
    }
    return reached;
  }

  struct End {
    SagaStatus status;
    std::string state;
    std::vector<std::string> own;   // effects on the order
    std::vector<std::string> peer;  // commands that the peers took
  };
  End end_of(const Place& place) {
    ScratchDatabase database{place.text()};
    return database.read([](SqlTransaction& transaction) {
      return End{transaction.books().saga("travel.v1/7").value().status,
                 transaction.first(state_of, "7").value(), transaction.all(effects_at, "7"),
                 transaction.all(effects_at, "peer")};
    });
  }

  void expect_whole(const std::string& kind, const End& end, const std::string& trace) {
    SCOPED_TRACE(kind + " killed at " + trace);
    if (kind == "is_refused") {
      EXPECT_EQ(end.status, SagaStatus::failed);
      EXPECT_THAT(end.own, ElementsAre("rejected"));
      EXPECT_THAT(end.peer, ElementsAre("stock.hold.v1", "payment.charge.v1", "stock.release.v1"));
    } else if (kind == "times_out") {
      EXPECT_EQ(end.status, SagaStatus::failed);
      EXPECT_THAT(end.own, ElementsAre("rejected"));
      EXPECT_THAT(end.peer, ElementsAre("stock.hold.v1", "payment.charge.v1", "payment.refund.v1",
                                        "stock.release.v1"));
    } else {
      EXPECT_EQ(end.status, SagaStatus::ended);
      EXPECT_THAT(end.own, ElementsAre("confirmed"));
      EXPECT_THAT(end.peer, ElementsAre("stock.hold.v1", "payment.charge.v1", "stock.sell.v1"));
    }
  }

  static const std::vector<std::string> kinds;

 private:
  std::filesystem::path seen(const std::string& kind) const { return root_ / ("seen-" + kind); }

  const std::filesystem::path root_;
};

const std::vector<std::string> CrashTest::kinds{"is_confirmed", "is_refused", "times_out", "sleeps",
                                                "stumbles"};

INSTANTIATE_TEST_SUITE_P(Databases, CrashTest,
                         testing::Values(sql::Dialect::sqlite, sql::Dialect::postgres),
                         [](const testing::TestParamInfo<sql::Dialect>& each) {
                           return each.param == sql::Dialect::sqlite ? "sqlite" : "postgres";
                         });

TEST_P(CrashTest, killed_at_any_crash_point_a_saga_is_done_or_undone_once) {
  if (GetParam() == sql::Dialect::postgres) ScratchCluster::shared();  // belongs to this thread
  std::vector<std::future<std::set<std::string>>> runs;
  for (const std::string& kind : kinds)
    runs.push_back(std::async(std::launch::async, [this, kind] { return kill_everywhere(kind); }));
  std::set<std::string> reached;
  for (auto& each : runs) reached.merge(each.get());
  for (const std::string_view point : crash_points()) {
    if (point.starts_with("saga."))
      EXPECT_TRUE(reached.contains(std::string{point})) << point << " was not reached";
  }
}

TEST_P(CrashTest, a_saga_whose_replay_kills_the_process_three_times_is_parked) {
  const Place there = place("kills");
  int deaths = 0;
  while (run(there, "kills", "nowhere") && deaths < 10) ++deaths;
  // Once when the reply came, unforeseen; then three times, noted.
  EXPECT_EQ(deaths, 4);
  const End end = end_of(there);
  EXPECT_EQ(end.status, SagaStatus::parked);
  EXPECT_THAT(end.own, ElementsAre());
}

}  // namespace
}  // namespace freehold

int main(int argc, char** argv) {
  if (argc == 4 && std::string_view{argv[1]} == "--service")
    return freehold::serve(argv[2], argv[3]);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
