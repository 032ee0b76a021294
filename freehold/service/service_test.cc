// SPDX-License-Identifier: Apache-2.0
//
// The host as a process: it starts, serves, is tended to, stops.
#include "freehold/service/service.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <fstream>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/database/sqlite/temporary_database.h"
#include "freehold/http/testing/served_routes.h"
#include "freehold/identity/service_identity.h"
#include "freehold/identity/token.h"
#include "freehold/service/test_program.h"

namespace freehold {
namespace {

using http::RawClient, http::request, http::ServedRoutes;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;
using testing::Not;

class ServiceTest : public testing::Test {
 protected:
  using Words = std::vector<std::string>;

  std::filesystem::path data() const { return directory_.path() / "desk"; }
  std::filesystem::path trust() const { return directory_.path() / "trust"; }

  // Arguments of a program on this data, and these.
  Words on_data(const Words& more) const {
    Words all{"--data=" + data().string(), "--port=" + std::to_string(port_)};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  // Starts the service and waits until it serves.
  void start(const Words& more = {}, const Program::Environment& environment = {}) {
    program_.emplace(on_data(more), environment);
    port_ = program_->wait_until_it_serves();
    ASSERT_NE(port_, 0);
  }
  void stop() {
    program_->signal(SIGTERM);
    EXPECT_EQ(program_->wait_for_end(), 0) << program_->errors();
  }

  http::RawAnswer ask(std::string_view method, std::string_view target,
                      std::string_view headers = {}, std::string_view body = {}) const {
    RawClient client{port_};
    return client.ask(request(method, target, headers, body));
  }
  http::RawAnswer add_note(std::string_view text) const {
    return ask("POST", "/api/notes", {}, R"({"text":")" + std::string{text} + "\"}");
  }

  struct Ended {
    int code;
    std::string output;
    std::string errors;
  };
  static Ended run(const Words& arguments, const Program::Environment& environment = {}) {
    Program program{arguments, environment};
    const int code = program.wait_for_end();
    return {code, program.output(), program.errors()};
  }
  Ended run_on_data(const Words& command, const Program::Environment& environment = {}) const {
    return run(on_data(command), environment);
  }
  // What cannot be started says why in one line.
  static void expect_refused(const Ended& ended, int code, const std::string& why) {
    EXPECT_EQ(ended.code, code);
    EXPECT_THAT(ended.errors, MatchesRegex("desk: [^\n]*\n"));
    EXPECT_THAT(ended.errors, HasSubstr(why));
  }

  TemporaryDirectory directory_;
  std::uint16_t port_ = 0;
  std::optional<Program> program_;
};

// --- Start and stop ------------------------------------------------------------------------------

TEST_F(ServiceTest, serves_and_says_so_in_records_of_one_json_object_a_line) {
  start();
  EXPECT_EQ(ask("GET", "/livez").body, R"({"status":"alive"})");
  EXPECT_THAT(ask("GET", "/readyz").body, HasSubstr(R"("status":"ready")"));
  EXPECT_THAT(ask("GET", "/openapi.json").body, HasSubstr("/api/notes"));
  EXPECT_EQ(add_note("a").status, 201);
  EXPECT_THAT(ask("GET", "/metrics").body,
              HasSubstr("freehold_http_answers_total{method=\"POST\",route=\"/api/notes\","
                        "status=\"201\"} 1\n"));
  stop();
  std::istringstream lines{program_->output()};
  int records = 0;
  for (std::string line; std::getline(lines, line); ++records) {
    const auto record = read_json<Record>(line, Strictness::strict);
    ASSERT_TRUE(record) << line;
    EXPECT_EQ(record->at("service"), "desk");
    for (const char* name : {"time", "severity", "event"}) EXPECT_TRUE(record->contains(name));
  }
  EXPECT_GE(records, 3);  // serving, stopping, stopped
  EXPECT_THAT(program_->errors(), IsEmpty());
}

// A note whose answer never came, or one that was answered and is gone, would make a difference.
TEST_F(ServiceTest, an_orderly_stop_answers_everything_that_it_has_accepted) {
  start();
  std::atomic<int> answered = 0;
  {
    std::vector<std::jthread> clients;
    for (int i = 0; i < 16; ++i)
      clients.emplace_back([&] {
        RawClient client{port_};
        const std::string note = request("POST", "/api/notes", {}, R"({"text":"n"})");
        while (client.ask(note).status == 201) ++answered;
      });
    ASSERT_TRUE(http::comes_true([&] { return answered > 500; }));
    stop();
  }
  const int before = answered;
  port_ = 0;
  start();
  EXPECT_EQ(ask("GET", "/api/notes").body, "{\"count\":" + std::to_string(before) + "}");
}

TEST_F(ServiceTest, an_orderly_stop_waits_for_a_request_that_is_under_way) {
  start();
  http::RawAnswer answer;
  std::jthread client{[&] { answer = ask("POST", "/api/slow-notes", {}, R"({"text":"n"})"); }};
  ASSERT_FALSE(program_->wait_for_record("slow note begun").empty());
  stop();
  client.join();
  EXPECT_EQ(answer.status, 201);
}

TEST_F(ServiceTest, a_killed_service_has_what_it_has_answered) {
  start();
  for (int i = 0; i < 20; ++i) ASSERT_EQ(add_note("n").status, 201);
  program_->signal(SIGKILL);
  EXPECT_EQ(program_->wait_for_end(), -1);
  port_ = 0;
  start();
  EXPECT_EQ(ask("GET", "/api/notes").body, R"({"count":20})");
}

TEST_F(ServiceTest, a_second_process_on_the_same_data_says_so) {
  start();
  expect_refused(run({"--data=" + data().string(), "--port=0"}), 1, "is in use by process");
  EXPECT_EQ(ask("GET", "/livez").status, 200);
}

TEST_F(ServiceTest, a_port_in_use_is_one_line) {
  start();
  expect_refused(run({"--data=" + (directory_.path() / "other").string(),
                      "--trust=" + trust().string(), "--port=" + std::to_string(port_)}),
                 1, std::to_string(port_));
}

TEST_F(ServiceTest, a_directory_that_cannot_be_made_is_one_line) {
  std::ofstream{directory_.path() / "file"} << "no directory";
  const auto inside = (directory_.path() / "file" / "desk").string();
  expect_refused(run({"--data=" + inside, "--trust=" + trust().string()}), 1, inside);
}

TEST_F(ServiceTest, an_edited_migration_is_one_line) {
  start();
  stop();
  expect_refused(run_on_data({}, {{"DESK_MIGRATION", "create table note (id integer)"}}), 1,
                 "notes");
}

TEST_F(ServiceTest, a_setting_that_is_wrong_is_one_line) {
  expect_refused(run_on_data({"--prot=8081"}), 2, "did you mean 'port'?");
  expect_refused(run_on_data({"--log-partitions=0"}), 2, "log-partitions");
  expect_refused(run_on_data({"nonsense"}), 2, "no such command");
}

// --- The operator --------------------------------------------------------------------------------

TEST_F(ServiceTest, operator_routes_are_for_the_service_itself_alone) {
  start();
  const auto status_for = [&](const std::filesystem::path& keys, const std::string& name) {
    auto identity = identity::ServiceIdentity::open(name, keys, trust());
    EXPECT_TRUE(identity);
    return ask("GET", "/operator", "Freehold-Identity: " + identity->token_for("desk") + "\r\n")
        .status;
  };
  EXPECT_EQ(ask("GET", "/operator").status, 401);
  EXPECT_EQ(status_for(directory_.path() / "product", "product"), 403);
  EXPECT_EQ(status_for(data(), "desk"), 200);
  EXPECT_EQ(ask("POST", "/operator", {}, R"({"what":"backup","name":"b"})").status, 401);
}

TEST_F(ServiceTest, a_backup_lies_in_the_services_own_directory_and_replaces_nothing) {
  port_ = free_port();
  start();
  ASSERT_EQ(add_note("n").status, 201);
  const auto expect_backup = [&](const std::string& name) {
    const Ended made = run_on_data({"backup", name});
    EXPECT_EQ(made.code, 0) << made.errors;
    EXPECT_TRUE(std::filesystem::exists(data() / name));
    expect_refused(run_on_data({"backup", name}), 1, "is there already");
    expect_refused(run_on_data({"backup", "database.sqlite"}), 1, "is there already");
    expect_refused(run_on_data({"backup", "../" + name}), 1, "is not in " + data().string());
    expect_refused(run_on_data({"backup", "/tmp/" + name}), 1, "is not in " + data().string());
  };
  expect_backup("running.sqlite");
  stop();
  expect_backup("stopped.sqlite");
}

TEST_F(ServiceTest, check_changes_nothing_whether_the_service_runs_or_not) {
  port_ = free_port();
  start();
  const Program::Environment next{{"DESK_SECOND_MIGRATION", "create table more (id integer)"}};
  const auto expect_checks = [&] {
    const Ended good = run_on_data({"check"}, next);
    EXPECT_EQ(good.code, 0) << good.errors;
    EXPECT_EQ(good.output, "ready for a rollout\n");
    expect_refused(run_on_data({"check"}, {{"DESK_MIGRATION", "create table note (id text)"}}), 1,
                   "notes");
    EXPECT_FALSE(std::filesystem::exists(data() / "check"));
  };
  expect_checks();
  EXPECT_EQ(add_note("n").status, 201);
  stop();
  expect_checks();
  // The step that only the checks have taken can still be another one.
  start({}, {{"DESK_SECOND_MIGRATION", "create table others (id integer)"}});
}

// --- Callers and data ----------------------------------------------------------------------------

// The issuer of access tokens, as long as it lives.
class Issuer {
 public:
  explicit Issuer(std::uint16_t port = 0) : served_({.port = port}) {
    keys_.add(key_.verifying_key());
    served_.routes().get<"/api/.well-known/jwks.json">(&Issuer::show_keys, *this).open();
    served_.start();
  }
  std::string peer() const { return "--peers=user=" + served_.address(); }
  std::uint16_t port() const { return served_.port(); }
  static std::string token(const identity::SigningKey& key) {
    return "Authorization: Bearer " +
           identity::sign({.issuer = "user",
                           .subject = "ann",
                           .audience = "shop",
                           .roles = {"customer"},
                           .issued_at = now(),
                           .expires_at = now() + std::chrono::minutes{5}},
                          key) +
           "\r\n";
  }
  std::string token() const { return token(key_); }
  // From now on it signs with another key.
  void withdraw_key() { served_.run(change_key()); }

 private:
  Task<bool> change_key() {
    key_ = identity::SigningKey::generate();
    keys_ = {};
    keys_.add(key_.verifying_key());
    co_return true;
  }
  Task<Result<http::Response>> show_keys(http::None, http::Call) {
    http::Response response;
    response.headers.add("Content-Type", "application/jwk-set+json");
    response.body = keys_.jwks();
    co_return response;
  }

  identity::SigningKey key_ = identity::SigningKey::generate();
  identity::KeySet keys_;
  ServedRoutes served_;
};

TEST_F(ServiceTest, verifies_tokens_after_a_restart_while_their_issuer_is_down) {
  auto issuer = std::make_unique<Issuer>();
  const std::string peer = issuer->peer(), token = issuer->token();
  start({peer});
  EXPECT_EQ(ask("GET", "/api/me", token).body, R"({"subject":"ann"})");
  stop();
  issuer.reset();
  port_ = 0;
  start({peer});
  EXPECT_EQ(ask("GET", "/api/me", token).body, R"({"subject":"ann"})");
  EXPECT_EQ(ask("GET", "/api/me", Issuer::token(identity::SigningKey::generate())).status, 401);
  EXPECT_EQ(ask("GET", "/api/me").status, 401);
  stop();

  // One that has never asked the issuer knows no keys.
  std::filesystem::remove_all(data());
  port_ = 0;
  start({peer});
  EXPECT_EQ(ask("GET", "/api/me", token).status, 401);
}

TEST_F(ServiceTest, believes_the_new_key_of_an_issuer_that_started_later) {
  auto issuer = std::make_unique<Issuer>();
  const std::uint16_t port = issuer->port();
  const std::string peer = issuer->peer();
  start({peer});
  EXPECT_EQ(ask("GET", "/api/me", issuer->token()).status, 200);
  stop();
  issuer.reset();
  port_ = 0;
  start({peer});
  ASSERT_FALSE(program_->wait_for_record("issuer keys not fetched").empty());
  issuer = std::make_unique<Issuer>(port);
  EXPECT_EQ(ask("GET", "/api/me", issuer->token()).status, 200);
}

TEST_F(ServiceTest, a_key_that_its_issuer_withdrew_is_soon_believed_no_more) {
  auto issuer = std::make_unique<Issuer>();
  start({issuer->peer(), "--keys-refetch-s=1"});
  const std::string old_token = issuer->token();
  EXPECT_EQ(ask("GET", "/api/me", old_token).status, 200);
  issuer->withdraw_key();
  EXPECT_TRUE(http::comes_true([&] { return ask("GET", "/api/me", old_token).status == 401; }));
  EXPECT_EQ(ask("GET", "/api/me", issuer->token()).status, 200);
}

// --- A neighbour that does not answer ------------------------------------------------------------

// A bell that hangs up on those who read its feed, or on those who call. Otherwise it
// answers callers, and keeps readers waiting until it lets them go.
class DeafBell {
 public:
  enum class To { readers, callers };

  explicit DeafBell(To deaf_to) : deaf_to_(deaf_to), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    FREEHOLD_ASSERT(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size) == 0 &&
                        ::listen(listener_, 16) == 0 &&
                        ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
                    "the test can listen");
    port_ = ntohs(address.sin_port);
    thread_ = std::jthread{[this] { serve(); }};
  }
  ~DeafBell() {
    ::shutdown(listener_, SHUT_RDWR);
    thread_.join();
    ::close(listener_);
    let_go();
  }

  std::string peer() const { return "--peers=bell=127.0.0.1:" + std::to_string(port_); }
  int readers() const { return readers_; }  // that came
  int callers() const { return callers_; }
  void let_go() {
    const std::scoped_lock lock{mutex_};
    for (const int socket : std::exchange(waiting_, {})) ::close(socket);
  }

 private:
  void serve() {
    for (int socket = 0; (socket = ::accept(listener_, nullptr, nullptr)) >= 0;) {
      const bool is_reader = head_of_request(socket).starts_with("GET /feed");
      ++(is_reader ? readers_ : callers_);
      if (is_reader && deaf_to_ == To::callers) {
        const std::scoped_lock lock{mutex_};
        waiting_.push_back(socket);
      } else {
        if (!is_reader && deaf_to_ == To::readers)
          ::send(socket, seven.data(), seven.size(), MSG_NOSIGNAL);
        ::close(socket);
      }
    }
  }
  static std::string head_of_request(int socket) {
    std::string head;
    std::array<char, 4096> bytes{};
    while (!head.contains("\r\n\r\n")) {
      const ssize_t count = ::recv(socket, bytes.data(), bytes.size(), 0);
      if (count <= 0) break;
      head.append(bytes.data(), static_cast<std::size_t>(count));
    }
    return head;
  }

  static constexpr std::string_view seven =
      "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n"
      "Connection: close\r\n\r\n{\"count\":7}";

  const To deaf_to_;
  const int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> readers_ = 0;
  std::atomic<int> callers_ = 0;
  std::mutex mutex_;
  std::vector<int> waiting_;  // guarded by mutex_
  std::jthread thread_;
};

TEST_F(ServiceTest, calls_a_neighbour_whose_feed_does_not_answer) {
  DeafBell bell{DeafBell::To::readers};
  start({bell.peer()});
  Record waits;
  do {
    waits = program_->wait_for_record("consumer waits");
    ASSERT_FALSE(waits.empty());
  } while (!waits.at("error").contains("not tried"));  // its breaker is open
  EXPECT_EQ(ask("GET", "/api/notes-of-bell").body, R"({"count":7})");
}

TEST_F(ServiceTest, reads_the_feed_of_a_neighbour_that_answers_no_calls) {
  DeafBell bell{DeafBell::To::callers};
  start({bell.peer()});
  ASSERT_TRUE(http::comes_true([&] { return bell.readers() == 1; }));
  ASSERT_TRUE(http::comes_true([&] {
    const int before = bell.callers();
    EXPECT_GE(ask("GET", "/api/notes-of-bell").status, 503);
    return bell.callers() == before;  // its breaker is open
  }));
  bell.let_go();
  EXPECT_TRUE(http::comes_true([&] { return bell.readers() == 2; }));
  program_->signal(SIGKILL);
  program_->wait_for_end();
  EXPECT_THAT(program_->output(), Not(HasSubstr("consumer waits")));
}

// --- Erasure -------------------------------------------------------------------------------------

class ErasureTest : public ServiceTest {
 protected:
  bool is_in_a_file(std::string_view text) const {
    for (const auto& entry : std::filesystem::directory_iterator(data())) {
      std::ifstream file{entry.path(), std::ios::binary};
      const std::string bytes{std::istreambuf_iterator<char>{file}, {}};
      if (bytes.contains(text)) return true;
    }
    return false;
  }
};

TEST_F(ErasureTest, what_was_deleted_is_soon_in_no_file) {
  start({"--erase-within-s=2"});
  ASSERT_EQ(add_note("a canary in a coal mine").body, R"({"id":1})");
  EXPECT_TRUE(is_in_a_file("a canary in a coal mine"));
  ASSERT_EQ(ask("DELETE", "/api/notes/1").status, 204);
  EXPECT_TRUE(http::comes_true([&] { return !is_in_a_file("a canary in a coal mine"); }));
}

TEST_F(ErasureTest, an_orderly_stop_leaves_nothing_that_was_deleted) {
  start({"--erase-within-s=3600"});
  ASSERT_EQ(add_note("a canary in a coal mine").body, R"({"id":1})");
  ASSERT_EQ(ask("DELETE", "/api/notes/1").status, 204);
  EXPECT_TRUE(is_in_a_file("a canary in a coal mine"));
  stop();
  EXPECT_FALSE(is_in_a_file("a canary in a coal mine"));
}

}  // namespace
}  // namespace freehold
