// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <latch>
#include <list>
#include <map>
#include <sstream>
#include <thread>

#include "freehold/base/errors.h"
#include "freehold/base/random.h"
#include "freehold/base/record.h"
#include "freehold/database/watch.h"
#include "freehold/http/testing/served_routes.h"

namespace freehold::http {
namespace {

using namespace std::chrono_literals;

struct Echo {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Echo, (), (text))

struct Size {
  std::size_t bytes;
};
BOOST_DESCRIBE_STRUCT(Size, (), (bytes))

struct Delay {
  int milliseconds;
};
BOOST_DESCRIBE_STRUCT(Delay, (), (milliseconds))

Task<Result<Echo>> hello(None, Call) {
  co_return Echo{"hello"};
}

Task<Result<Echo>> echo(Echo in, Call) {
  co_return in;
}

Task<Result<Response>> repeat(Size in, Call) {
  co_return Response{.body = std::string(in.bytes, 'x')};
}

Task<Result<None>> wait_for(Delay in, Call) {
  boost::asio::basic_waitable_timer<SteadyClock> timer{co_await boost::asio::this_coro::executor};
  timer.expires_after(std::chrono::milliseconds{in.milliseconds});
  co_await timer.async_wait(boost::asio::use_awaitable);
  co_return None{};
}

// Is under way from when it is counted until the test has it end.
std::atomic<int> held = 0;
Watches ends;

Task<Result<None>> hold(None, Call) {
  auto end = ends.begin("");
  ++held;
  co_await end.next(deadline_in(10s));
  co_return None{};
}

Task<Result<Response>> name_thread(None, Call) {
  std::ostringstream name;
  name << std::this_thread::get_id();
  co_return Response{.body = name.str()};
}

Task<Result<None>> fail(None, Call) {
  throw std::runtime_error{"the disk is on fire"};
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() : ServerTest(ServerOptions{}) {}
  explicit ServerTest(ServerOptions options, int threads = 1)
      : served_(std::move(options), threads) {
    served_.routes().get<"/hello">(hello).open();
    served_.routes().post<"/echo">(echo).open();
    served_.routes().get<"/repeat">(repeat).open();
    served_.routes().get<"/wait/{milliseconds}">(wait_for).open();
    served_.routes().get<"/hold">(hold).open();
    served_.routes().get<"/thread">(name_thread).open();
    served_.routes().get<"/fail">(fail).open();
    served_.start();
  }

  ServedRoutes served_;
};

class ImpatientServer : public ServerTest {
 protected:
  ImpatientServer() : ServerTest({.request_timeout = 60ms, .idle_timeout = 120ms}) {}
};

class ThriftyServer : public ServerTest {
 protected:
  ThriftyServer() : ServerTest({.unsent_bytes_max = 40'000'000}) {}
};

class SmallServer : public ServerTest {
 protected:
  SmallServer() : ServerTest({.body_bytes_max = 64, .connections_max = 2}) {}
};

class WideServer : public ServerTest {
 protected:
  static constexpr int threads = 3;
  WideServer() : ServerTest(ServerOptions{}, threads) {}
};

TEST_F(ServerTest, one_connection_carries_many_requests) {
  RawClient client{served_.port()};
  for (int i = 0; i < 100; ++i) {
    const RawAnswer answer = client.ask(request("GET", "/hello"));
    ASSERT_EQ(answer.status, 200);
    ASSERT_EQ(answer.body, R"({"text":"hello"})");
  }
  EXPECT_EQ(served_.server().connections(), 1U);
}

TEST_F(ServerTest, pipelined_requests_are_answered_in_their_order) {
  RawClient client{served_.port()};
  std::string all;
  for (int i = 0; i < 50; ++i)
    all += request("POST", "/echo", {}, R"({"text":")" + std::to_string(i) + "\"}");
  client.send(all);
  for (int i = 0; i < 50; ++i)
    ASSERT_EQ(client.answer().body, R"({"text":")" + std::to_string(i) + "\"}");
}

TEST_F(ServerTest, a_request_may_arrive_byte_by_byte) {
  RawClient client{served_.port()};
  for (char c : request("POST", "/echo", {}, R"({"text":"slowly"})")) client.send({&c, 1});
  EXPECT_EQ(client.answer().body, R"({"text":"slowly"})");
}

TEST_F(ServerTest, a_body_may_come_in_chunks) {
  RawClient client{served_.port()};
  client.send(request("POST", "/echo", "Transfer-Encoding: chunked\r\n"));
  client.send("8\r\n{\"text\":\r\n9;name=value\r\n\"chunked\"\r\n1\r\n}\r\n0\r\n\r\n");
  EXPECT_EQ(client.answer().body, R"({"text":"chunked"})");
  EXPECT_EQ(client.ask(request("GET", "/hello")).status, 200);
}

TEST_F(ThriftyServer, answers_that_nobody_takes_are_held_up_to_a_bound) {
  std::vector<std::unique_ptr<RawClient>> clients;
  for (std::size_t i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<RawClient>(served_.port()));
    clients.back()->send(request("GET", "/repeat?bytes=15000000"));
    ASSERT_EQ(clients.back()->read_until("\r\n\r\n").substr(0, 12), "HTTP/1.1 200");
  }
  EXPECT_TRUE(comes_true([&] { return served_.server().connections_cut() == 3; }));
  EXPECT_TRUE(comes_true([&] { return served_.server().connections() == 2; }));
  EXPECT_TRUE(clients[0]->is_closed()) << "who waits longest goes first";
  for (std::size_t i = 3; i < 5; ++i) {
    clients[i]->send(request("GET", "/hello"));
    EXPECT_EQ(clients[i]->read_until("HTTP/1.1 200").size(), 15'000'012U);
  }
}

TEST_F(ServerTest, a_large_answer_arrives_whole) {
  RawClient client{served_.port()};
  EXPECT_EQ(client.ask(request("GET", "/repeat?bytes=5000000")).body.size(), 5'000'000U);
  EXPECT_EQ(client.ask(request("GET", "/hello")).status, 200);
}

TEST_F(ServerTest, head_is_answered_like_get_without_the_body) {
  RawClient client{served_.port()};
  const RawAnswer answer = client.ask(request("HEAD", "/hello"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Length"), "16");
  EXPECT_EQ(client.ask(request("GET", "/hello")).body.size(), 16U);
}

TEST_F(ServerTest, a_client_that_expects_it_is_told_to_continue) {
  RawClient client{served_.port()};
  client.send(
      "POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 13\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send(R"({"text":"go"})");
  EXPECT_EQ(client.answer().body, R"({"text":"go"})");
}

TEST_F(ServerTest, an_old_client_is_closed_after_its_answer_unless_it_asks_to_stay) {
  RawClient leaving{served_.port()};
  EXPECT_EQ(leaving.ask("GET /hello HTTP/1.0\r\n\r\n").header("Connection"), "close");
  EXPECT_TRUE(leaving.is_closed());
  RawClient staying{served_.port()};
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(staying.ask("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").status, 200);
}

TEST_F(ServerTest, an_unknown_address_and_another_method_are_problems) {
  RawClient client{served_.port()};
  const RawAnswer nothing = client.ask(request("GET", "/hallo"));
  EXPECT_EQ(nothing.status, 404);
  EXPECT_EQ(nothing.header("Content-Type"), "application/problem+json");
  const RawAnswer other = client.ask(request("DELETE", "/hello"));
  EXPECT_EQ(other.status, 405);
  EXPECT_EQ(other.header("Allow"), "GET, HEAD");
  EXPECT_TRUE(other.body.contains("freehold/method_not_allowed")) << other.body;
}

TEST_F(ServerTest, what_a_handler_throws_is_a_500_that_tells_nothing_and_a_record) {
  static std::atomic<int> records = 0;
  install_record_sink([](Severity, std::string_view event, std::initializer_list<RecordField>) {
    if (event == "handler failed") ++records;
  });
  RawClient client{served_.port()};
  const RawAnswer answer = client.ask(request("GET", "/fail"));
  install_record_sink(nullptr);
  EXPECT_EQ(answer.status, 500);
  EXPECT_FALSE(answer.body.contains("fire")) << answer.body;
  EXPECT_EQ(records, 1);
  EXPECT_EQ(client.ask(request("GET", "/hello")).status, 200);
}

TEST_F(ServerTest, malformed_requests_are_answered_with_400_and_closed) {
  for (const char* bytes :
       {"GARBAGE\r\n\r\n", "GET /hello\r\n\r\n", "GET /hello HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawClient client{served_.port()};
    EXPECT_EQ(client.ask(bytes).status, 400) << bytes;
    EXPECT_TRUE(client.is_closed()) << bytes;
  }
}

TEST_F(ServerTest, a_head_that_is_too_large_is_refused) {
  RawClient client{served_.port()};
  const RawAnswer answer =
      client.ask(request("GET", "/hello", "X-Long: " + std::string(20'000, 'x') + "\r\n"));
  EXPECT_EQ(answer.status, 431);
  EXPECT_TRUE(client.is_closed());
}

TEST_F(SmallServer, a_body_that_is_too_large_is_refused_and_the_refusal_arrives) {
  for (const char* framing : {"Content-Length: 100000\r\n", "Transfer-Encoding: chunked\r\n"}) {
    RawClient client{served_.port()};
    client.send(request("POST", "/echo", framing));
    client.send("1000\r\n" + std::string(100'000, 'x'));
    const RawAnswer answer = client.answer();
    EXPECT_EQ(answer.status, 413) << framing;
    EXPECT_TRUE(answer.body.contains("64 bytes")) << answer.body;
  }
}

TEST_F(SmallServer, connections_beyond_the_bound_are_turned_away_with_503) {
  RawClient first{served_.port()}, second{served_.port()};
  EXPECT_EQ(first.ask(request("GET", "/hello")).status, 200);
  EXPECT_EQ(second.ask(request("GET", "/hello")).status, 200);
  RawClient third{served_.port()};
  const RawAnswer answer = third.answer();
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Retry-After"), "1");
  first.close();
  EXPECT_TRUE(comes_true([&] { return served_.server().connections() == 1; }));
  EXPECT_EQ(RawClient{served_.port()}.ask(request("GET", "/hello")).status, 200);
}

TEST_F(ImpatientServer, a_request_that_does_not_arrive_in_time_is_answered_with_408) {
  RawClient client{served_.port()};
  EXPECT_EQ(client.ask("GET /hello HTTP/1.1\r\nHost:").status, 408);
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ImpatientServer, an_idle_connection_is_closed_without_a_word) {
  RawClient client{served_.port()};
  EXPECT_EQ(client.ask(request("GET", "/hello")).status, 200);
  EXPECT_EQ(client.read_until("anything"), "");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(ImpatientServer, a_handler_may_take_longer_than_a_request_may_take_to_arrive) {
  RawClient client{served_.port()};
  EXPECT_EQ(client.ask(request("GET", "/wait/300")).status, 204);
}

TEST_F(WideServer, several_threads_serve_one_port) {
  std::vector<std::jthread> clients;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 8; ++i)
    clients.emplace_back([&] {
      RawClient client{served_.port()};
      for (int j = 0; j < 100; ++j)
        if (client.ask(request("GET", "/hello")).status == 200) ++answered;
    });
  clients.clear();
  EXPECT_EQ(answered, 800);
}

TEST_F(WideServer, connections_are_shared_out_evenly_among_its_threads) {
  constexpr int each = 5;
  std::list<RawClient> clients;
  std::map<std::string, int> connections;  // by thread
  for (int i = 0; i < each * threads; ++i)
    ++connections[clients.emplace_back(served_.port()).ask(request("GET", "/thread")).body];
  EXPECT_EQ(connections.size(), std::size_t{threads});
  for (const auto& [thread, count] : connections) EXPECT_EQ(count, each) << thread;
}

TEST(Server, a_port_in_use_is_a_refusal_in_plain_words) {
  ServedRoutes first;
  first.start();
  boost::asio::io_context context;
  Routes routes;
  Server second{routes, {.port = first.port()}, {context.get_executor()}};
  const auto outcome = second.start();
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::cannot_listen));
  EXPECT_EQ(outcome.error().detail(), first.address() + " is in use by another program");
}

TEST(Server, a_route_without_an_access_rule_refuses_the_start_by_name) {
  boost::asio::io_context context;
  Routes routes;
  routes.get<"/hello">(hello);
  Server server{routes, {}, {context.get_executor()}};
  const auto outcome = server.start();
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::route_without_access));
  EXPECT_EQ(outcome.error().detail(), "GET /hello");
}

TEST_F(ServerTest, a_stop_lets_running_requests_finish_and_closes_idle_connections) {
  held = 0;
  RawClient idle{served_.port()}, running{served_.port()};
  EXPECT_EQ(idle.ask(request("GET", "/hello")).status, 200);
  running.send(request("GET", "/hold"));
  EXPECT_TRUE(comes_true([] { return held == 1; }));
  std::jthread stopping{[&] { served_.stop(10s); }};
  EXPECT_TRUE(idle.is_closed());
  ends.changed("");
  const RawAnswer answer = running.answer();
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(answer.header("Connection"), "close");
  running.close();
  stopping.join();
  EXPECT_EQ(served_.server().connections(), 0U);
}

bool can_connect(std::uint16_t port) {
  boost::asio::io_context context;
  boost::asio::ip::tcp::socket socket{context};
  boost::system::error_code failure;
  socket.connect({boost::asio::ip::address_v4::loopback(), port}, failure);
  return !failure;
}

class SlowlyDrainedServer : public ServerTest {
 protected:
  SlowlyDrainedServer() : ServerTest({.drain_timeout = 10s}, 2) {}
};

TEST_F(SlowlyDrainedServer, a_request_on_an_open_connection_is_answered_while_it_stops) {
  RawClient idle{served_.port()}, another{served_.port()};
  EXPECT_EQ(idle.ask(request("GET", "/hello")).header("Connection"), "");
  EXPECT_EQ(another.ask(request("GET", "/hello")).header("Connection"), "");
  const auto begun = SteadyClock::now();
  std::jthread stopping{[&] { served_.stop(60s); }};
  EXPECT_TRUE(comes_true([&] { return !can_connect(served_.port()); }));
  for (RawClient* client : {&idle, &another}) {
    const RawAnswer answer = client->ask(request("GET", "/hello"));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(answer.header("Connection"), "close");
    EXPECT_TRUE(client->is_closed());
    client->close();
  }
  stopping.join();
  EXPECT_LT(SteadyClock::now() - begun, 10s) << "it waits for nobody once all have gone";
}

TEST_F(WideServer, idle_connections_of_all_threads_are_closed_after_the_drain) {
  held = 0;
  std::list<RawClient> running, idle;
  for (int i = 0; i < threads; ++i) {
    running.emplace_back(served_.port()).send(request("GET", "/hold"));
    EXPECT_TRUE(comes_true([i] { return held == i + 1; }));
  }
  for (int i = 0; i < threads; ++i)
    EXPECT_EQ(idle.emplace_back(served_.port()).ask(request("GET", "/hello")).status, 200);
  std::jthread stopping{[&] { served_.stop(60s); }};
  for (RawClient& client : idle) EXPECT_TRUE(client.is_closed()) << "while others are answered";
  ends.changed("");
  for (RawClient& client : running) {
    EXPECT_EQ(client.answer().status, 204);
    client.close();
  }
}

class UndrainedServer : public ServerTest {
 protected:
  UndrainedServer() : ServerTest({.drain_timeout = 0ms}) {}
};

TEST_F(UndrainedServer, what_was_sent_while_an_answer_was_taken_is_answered) {
  constexpr std::size_t bytes = 20'000'000;
  RawClient client{served_.port()};
  client.send(request("GET", "/repeat?bytes=" + std::to_string(bytes)));
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 200 "));
  client.send(request("GET", "/hello"));
  std::jthread stopping{[&] { served_.stop(60s); }};
  EXPECT_TRUE(comes_true([&] { return !can_connect(served_.port()); }));
  EXPECT_EQ(client.read_until("HTTP/").size(), bytes + 5);
  EXPECT_TRUE(client.read_until("\r\n\r\n").starts_with("1.1 200 "));
  client.close();
}

TEST_F(ServerTest, who_has_connected_when_a_stop_begins_is_answered) {
  std::latch is_busy{1}, may_go_on{1};
  boost::asio::post(served_.executor(), [&] {
    is_busy.count_down();
    may_go_on.wait();
  });
  is_busy.wait();
  RawClient client{served_.port()};
  client.send(request("GET", "/hello"));
  boost::asio::co_spawn(served_.executor(), served_.server().stop(deadline_in(10s)),
                        boost::asio::detached);
  may_go_on.count_down();
  const RawAnswer answer = client.answer();
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Connection"), "close");
}

TEST_F(ServerTest, a_stop_cuts_at_its_deadline_what_does_not_finish) {
  RawClient client{served_.port()};
  client.send(request("GET", "/wait/60000"));
  EXPECT_TRUE(comes_true([&] { return served_.server().connections() == 1; }));
  served_.stop(50ms);
  EXPECT_TRUE(client.is_closed());
}

TEST(Server, a_stop_under_load_answers_every_request_that_it_took) {
  for (int round = 0; round < 5; ++round) {
    ServedRoutes served{{.drain_timeout = 10s}};
    static std::atomic<int> taken;
    taken = 0;
    served.routes()
        .get<"/count">([](None, Call) -> Task<Result<None>> {
          ++taken;
          co_return None{};
        })
        .open();
    served.start();
    std::atomic<int> answered = 0, unanswered = 0;
    std::vector<std::jthread> clients;
    std::latch begun{4};
    for (int i = 0; i < 4; ++i)
      clients.emplace_back([&] {
        RawClient client{served.port()};
        bool first = true, keep = true;
        while (keep) {
          const RawAnswer answer = client.ask(request("GET", "/count"));
          ++(answer.status == 204 ? answered : unanswered);
          keep = answer.status == 204 && answer.header("Connection") != "close";
          if (std::exchange(first, false)) begun.count_down();
        }
      });
    begun.wait();
    served.stop(10s);
    clients.clear();
    EXPECT_EQ(answered, taken);
    EXPECT_EQ(unanswered, 0) << "all were told by an answer that there will be no other";
  }
}

TEST_F(ServerTest, random_bytes_never_harm_it) {
  SeededRandom random{20261122};
  const std::array<std::string, 6> pieces{request("GET", "/hello"),
                                          request("POST", "/echo", {}, R"({"text":"x"})"),
                                          "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
                                          "GET http://x/ HTTP/1.1\r\n",
                                          "\r\n\r\n",
                                          "Content-Length: 18446744073709551615\r\n\r\n"};
  for (int round = 0; round < 400; ++round) {
    std::string bytes;
    for (std::uint64_t i = random.below(6); i > 0; --i) {
      if (random.below(3) == 0)
        bytes += static_cast<char>(random.below(256));
      else
        bytes += pieces[random.below(pieces.size())];
      if (!bytes.empty() && random.below(2) == 0)
        bytes[random.below(bytes.size())] = static_cast<char>(random.below(256));
    }
    RawClient client{served_.port()};
    client.send(bytes);
  }
  EXPECT_EQ(RawClient{served_.port()}.ask(request("GET", "/hello")).status, 200);
  EXPECT_TRUE(comes_true([&] { return served_.server().connections() <= 1; }));
}

}  // namespace
}  // namespace freehold::http
