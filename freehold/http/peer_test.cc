// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/peer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>

#include "freehold/base/errors.h"
#include "freehold/http/testing/scripted_server.h"
#include "freehold/http/testing/served_routes.h"

namespace freehold::http {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

struct GetItem {
  int id;
  std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(GetItem, (), (id, note))

struct MakeItem {
  std::string name;
};
BOOST_DESCRIBE_STRUCT(MakeItem, (), (name))

struct ChangeItem {
  int id;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(ChangeItem, (), (id, name))

struct Item {
  int id;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(Item, (), (id, name))

struct Asked {
  std::string identity, trace, timeout, key;
};
BOOST_DESCRIBE_STRUCT(Asked, (), (identity, trace, timeout, key))

Task<Result<Item>> get_item(GetItem in, Call) {
  if (in.id == 0) co_return Error{"shelf", "unknown_item", Kind::not_found, "No such item.", "0"};
  co_return Item{in.id, in.note.value_or("none")};
}
Task<Result<Reply<Item>>> make_item(MakeItem in, Call) {
  co_return Reply<Item>{.status = 201, .body = {1, in.name}};
}
Task<Result<Item>> change_item(ChangeItem in, Call) {
  co_return Item{in.id, in.name};
}
Task<Result<Asked>> asked(None, Call call) {
  const auto text = [&](std::string_view name) {
    return std::string{call.header(name).value_or("")};
  };
  co_return Asked{std::string{call.caller_service()}, text("traceparent"), text(timeout_header),
                  text("Idempotency-Key")};
}
Task<> pause(std::chrono::milliseconds length) {
  boost::asio::basic_waitable_timer<SteadyClock> timer{co_await boost::asio::this_coro::executor};
  timer.expires_after(length);
  co_await timer.async_wait(boost::asio::use_awaitable);
}
Task<Result<None>> wait_for(GetItem in, Call) {
  co_await pause(std::chrono::milliseconds{in.id});
  co_return None{};
}
Task<Result<Response>> large(None, Call) {
  co_return Response{.body = std::string(3'000'000, 'x')};
}

PeerOptions once() {
  return {.identity = {}, .attempts_max = 1};
}

class PeerTest : public testing::Test {
 protected:
  PeerTest() : served_({.idle_timeout = 100ms}) {
    served_.routes().get<"/items/{id}">(get_item).open();
    served_.routes().post<"/items">(make_item).open();
    served_.routes().put<"/items/{id}">(change_item).open();
    served_.routes().get<"/asked">(asked).internal();
    served_.routes().get<"/wait/{id}">(wait_for).open();
    served_.routes().get<"/large">(large).open();
    served_.start();
    transport_ = network_transport(served_.executor(), {.connections_max = 2});
  }
  Peer peer(PeerOptions options = {}) {
    return Peer{"shelf", {served_.address()}, std::move(options), *transport_};
  }
  // Its time runs from when the thread comes to it, however late that is.
  std::future<Result<Response>> begin_exchange(Peer& peer, Request request,
                                               std::chrono::milliseconds within) {
    return begin(
        served_.executor(),
        [](Peer* asked, Request what, std::chrono::milliseconds time) -> Task<Result<Response>> {
          co_return co_await asked->exchange(std::move(what), deadline_in(time));
        }(&peer, std::move(request), within));
  }
  Result<Response> exchange(Peer& peer, Request request,
                            std::chrono::milliseconds within = 5000ms) {
    return begin_exchange(peer, std::move(request), within).get();
  }

  ServedRoutes served_;
  std::unique_ptr<Transport> transport_;
};

TEST_F(PeerTest, typed_calls_are_the_mirror_of_typed_routes) {
  Peer shelf = peer();
  const Terms terms = deadline_in(5s);
  const auto got =
      served_.run(shelf.get<"/items/{id}", Item>(GetItem{7, "a b&c=é"}, terms)).value();
  EXPECT_EQ(got.id, 7);
  EXPECT_EQ(got.name, "a b&c=é");
  EXPECT_EQ(served_.run(shelf.post<"/items", Item>(MakeItem{"lamp"}, terms)).value().name, "lamp");
  EXPECT_EQ(served_.run(shelf.put<"/items/{id}", Item>(ChangeItem{3, "\"q\""}, terms)).value().name,
            "\"q\"");
  EXPECT_TRUE(served_.run(shelf.get<"/wait/{id}", void>(GetItem{1, {}}, terms)));
}

TEST_F(PeerTest, an_error_of_the_peer_is_its_own) {
  Peer shelf = peer();
  const auto outcome = served_.run(shelf.get<"/items/{id}", Item>(GetItem{0, {}}, deadline_in(5s)));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error(),
            (Error{"shelf", "unknown_item", Kind::not_found, "No such item.", "0"}));
  const auto other = served_.run(shelf.get<"/items/{id}", Asked>(GetItem{1, {}}, deadline_in(5s)));
  EXPECT_TRUE(other.error().is(errors::unexpected_answer)) << other.error().text();
}

TEST_F(PeerTest, a_call_carries_identity_trace_timeout_and_key) {
  Peer shelf = peer({.identity = [] { return std::string{"order"}; }});
  const Trace trace = Trace::start();
  const auto seen =
      served_.run(shelf.get<"/asked", Asked>(None{}, Terms{deadline_in(9s), trace, "key-1"}))
          .value();
  EXPECT_EQ(seen.identity, "order");
  EXPECT_EQ(Trace::from_text(seen.trace).value().trace_id, trace.trace_id);
  EXPECT_LE(std::stoi(seen.timeout), 9000);
  EXPECT_GT(std::stoi(seen.timeout), 0);
  EXPECT_EQ(seen.key, "key-1");
}

TEST_F(PeerTest, connections_are_kept_and_used_again) {
  Peer shelf = peer();
  for (int i = 0; i < 50; ++i) ASSERT_TRUE(exchange(shelf, {.target = "/items/1"}));
  EXPECT_EQ(served_.server().connections(), 1U);
}

TEST_F(PeerTest, a_connection_that_the_peer_has_closed_is_not_used_for_an_unsafe_request) {
  Peer shelf = peer(once());
  for (int i = 0; i < 3; ++i) {
    const auto made = served_.run(shelf.post<"/items", Item>(MakeItem{"x"}, deadline_in(5s)));
    ASSERT_TRUE(made) << made.error().text();
    EXPECT_TRUE(comes_true([&] { return served_.server().connections() == 0; }));
  }
}

TEST_F(PeerTest, calls_beyond_the_pool_wait_for_their_turn_until_their_deadline) {
  Peer shelf = peer(once());
  std::vector<std::future<Result<Response>>> calls;
  for (int i = 0; i < 6; ++i) calls.push_back(begin_exchange(shelf, {.target = "/wait/50"}, 5s));
  calls.push_back(begin_exchange(shelf, {.target = "/wait/1"}, 20ms));
  const auto last = calls.back().get();
  ASSERT_FALSE(last);
  EXPECT_TRUE(last.error().is(errors::no_connection_to_spare)) << last.error().text();
  EXPECT_LE(served_.server().connections(), 2U);
  calls.pop_back();
  for (auto& call : calls) EXPECT_EQ(call.get().value().status, 204);
}

TEST_F(PeerTest, a_call_without_a_descriptor_to_spare_says_that_it_is_not_the_peer) {
#if __has_feature(undefined_behavior_sanitizer)
  GTEST_SKIP() << "the sanitizer looks at objects through a pipe, and takes them for none without";
#endif
  Peer shelf = peer(once());
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const auto outcome = served_.run(shelf.exchange({.target = "/wait/1"}, deadline_in(5s)));
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &before), 0);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::no_connection_to_spare)) << outcome.error().text();
  EXPECT_EQ(shelf.breaker(), BreakerState::closed);
}

TEST_F(PeerTest, a_call_ends_at_its_deadline) {
  Peer shelf = peer();
  const auto began = SteadyClock::now();
  const auto outcome = exchange(shelf, {.target = "/wait/60000"}, 50ms);
  EXPECT_LT(SteadyClock::now() - began, 5s);
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::deadline_exceeded)) << outcome.error().text();
  EXPECT_TRUE(exchange(shelf, {.target = "/items/1"}));
}

TEST_F(PeerTest, a_large_answer_arrives_whole) {
  Peer shelf = peer();
  EXPECT_EQ(exchange(shelf, {.target = "/large"}).value().body.size(), 3'000'000U);
  EXPECT_EQ(exchange(shelf, {.method = Method::head, .target = "/large"}).value().body, "");
  EXPECT_TRUE(exchange(shelf, {.target = "/items/1"}));
}

TEST_F(PeerTest, nobody_listening_means_that_nothing_happened) {
  const std::string address = served_.address();
  ServedRoutes elsewhere;
  elsewhere.start();
  served_.stop(1s);
  const auto transport = network_transport(elsewhere.executor());
  Peer gone{"shelf", {address}, {}, *transport};
  const auto outcome = elsewhere.run(
      gone.exchange({.method = Method::post, .target = "/items", .body = "{}"}, deadline_in(5s)));
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::peer_unavailable)) << outcome.error().text();
  Peer nowhere{"shelf", {"no address"}, once(), *transport};
  EXPECT_TRUE(elsewhere.run(nowhere.exchange({.target = "/"}, deadline_in(1s)))
                  .error()
                  .is(errors::peer_unavailable));
}

TEST_F(PeerTest, an_instance_that_does_not_answer_is_left_for_the_next_one) {
  ServedRoutes gone;
  gone.start();
  const std::string nobody = gone.address();
  gone.stop(1s);
  Peer shelf{"shelf", {nobody, served_.address()}, {}, *transport_};
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(exchange(shelf, {.target = "/items/1"}));
  EXPECT_EQ(shelf.breaker(), BreakerState::closed);
  // What is not sent again elsewhere costs one call, not each one after it.
  Peer impatient{"shelf", {nobody, served_.address()}, once(), *transport_};
  EXPECT_FALSE(exchange(impatient, {.target = "/items/1"}));
  EXPECT_TRUE(exchange(impatient, {.target = "/items/1"}));
  EXPECT_TRUE(exchange(impatient, {.target = "/items/1"}));
}

TEST_F(PeerTest, the_breaker_opens_when_no_instance_answers) {
  ServedRoutes gone;
  gone.start();
  const std::string nobody = gone.address();
  gone.stop(1s);
  Peer shelf{"shelf", {nobody, nobody}, {.failures_to_open = 3}, *transport_};
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(exchange(shelf, {.target = "/items/1"}));
  EXPECT_EQ(shelf.breaker(), BreakerState::open);
}

TEST(Transport, can_be_used_from_several_threads) {
  ServedRoutes served{{}, 2};
  served.routes().get<"/items/{id}">(get_item).open();
  served.start();
  const auto transport = network_transport(served.executor(), {.connections_max = 3});
  Peer shelf{"shelf", {served.address()}, {}, *transport};
  std::vector<std::jthread> threads;
  std::atomic<int> answered = 0;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      boost::asio::io_context context{1};
      boost::asio::co_spawn(
          context,
          [](Peer* peer, std::atomic<int>* count) -> Task<> {
            for (int j = 0; j < 50; ++j)
              if (co_await peer->exchange({.target = "/items/1"}, deadline_in(5s))) ++*count;
          }(&shelf, &answered),
          boost::asio::detached);
      context.run();
    });
  threads.clear();
  EXPECT_EQ(answered, 200);
}

// What the peer answers on the wire, and what the client makes of it.
class ScriptedPeer : public testing::Test {
 protected:
  ScriptedPeer() { client_.start(); }
  Result<Response> ask(ScriptedServer& server, Method method, PeerOptions options = {},
                       std::string key = {}) {
    const auto transport = network_transport(client_.executor(), {.answer_bytes_max = 1000});
    Peer peer{"shelf", {server.address()}, std::move(options), *transport};
    return client_.run(peer.exchange({.method = method, .target = "/x", .body = "{}"},
                                     Terms{deadline_in(2s), {}, std::move(key)}));
  }

  ServedRoutes client_;
};

constexpr std::string_view fine = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine";

TEST_F(ScriptedPeer, answers_of_every_framing_are_read) {
  for (std::string_view bytes :
       {fine,
        std::string_view{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nfi\r\n"
                         "2\r\nne\r\n0\r\n\r\n"},
        std::string_view{"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfine"},
        std::string_view{"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n"
                         "Content-Length: 4\r\n\r\nfine"}}) {
    ScriptedServer server{{std::string{bytes}}};
    const auto outcome = ask(server, Method::post, once());
    ASSERT_TRUE(outcome) << bytes << outcome.error().text();
    EXPECT_EQ(outcome->body, "fine");
  }
}

// 16 KiB, or some more that come with its end.
TEST_F(ScriptedPeer, an_answer_whose_head_is_too_large_is_none) {
  for (const int fields : {150, 400}) {  // of 100 bytes
    std::string head = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n";
    for (int i = 0; i < fields; ++i) head += "X-Field: " + std::string(89, 'x') + "\r\n";
    ScriptedServer server{{head + "\r\nfine"}};
    EXPECT_EQ(ask(server, Method::post, once()).has_value(), fields == 150) << fields;
  }
}

TEST_F(ScriptedPeer, an_answer_that_does_not_come_whole_leaves_an_unsafe_call_indeterminate) {
  for (const char* bytes :
       {"", "HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\nfine", "HTTP/1.1 200 OK\r\nConte",
        "garbage\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfi",
        "HTTP/1.1 200 OK\r\nContent-Length: 4000000000\r\n\r\n"}) {
    ScriptedServer server{{bytes, std::string{fine}}};
    const auto outcome = ask(server, Method::post);
    ASSERT_FALSE(outcome) << bytes;
    EXPECT_TRUE(outcome.error().is(errors::connection_lost)) << outcome.error().text();
    EXPECT_EQ(outcome.error().kind(), Kind::indeterminate);
    EXPECT_EQ(server.requests(), 1) << "an unsafe request that was sent is never repeated";
  }
}

TEST_F(ScriptedPeer, what_may_be_repeated_is_tried_again_when_the_connection_breaks) {
  ScriptedServer for_get{{"", std::string{fine}}};
  EXPECT_TRUE(ask(for_get, Method::get));
  EXPECT_EQ(for_get.requests(), 2);
  ScriptedServer for_key{{"", "HTTP/1.1 200 OK\r\nCont", std::string{fine}}};
  EXPECT_TRUE(ask(for_key, Method::post, {}, "key-1"));
  EXPECT_EQ(for_key.requests(), 3);
}

TEST_F(ScriptedPeer, tries_end_with_the_allowed_number) {
  ScriptedServer server{{"", "", "", std::string{fine}}};
  EXPECT_FALSE(ask(server, Method::get, {.identity = {}, .attempts_max = 3}));
  EXPECT_EQ(server.requests(), 3);
}

// The network as a script, for what depends on time and on counts.
class ScriptedTransport final : public Transport {
 public:
  Task<Result<Response>> exchange(std::string, Request, Deadline) override {
    ++calls;
    if (fails) co_return Error{*fails};
    if (hangs) {
      boost::asio::basic_waitable_timer<SteadyClock> never{
          co_await boost::asio::this_coro::executor, SteadyClock::time_point::max()};
      co_await never.async_wait(boost::asio::use_awaitable);
    }
    co_return Response{};
  }
  int calls = 0;
  bool hangs = false;
  const ErrorCode* fails = nullptr;
};

class HandClock final : public Clock {
 public:
  HandClock() { install(this); }
  ~HandClock() override { install(nullptr); }
  Time now() const override { return Time{std::chrono::floor<std::chrono::microseconds>(passed)}; }
  std::chrono::nanoseconds since_start() const override { return passed; }
  std::chrono::nanoseconds passed = 1h;
};

class BreakerTest : public testing::Test {
 protected:
  Result<Response> ask() {
    boost::asio::io_context context{1};
    auto outcome =
        begin(context.get_executor(),
              peer_.exchange({.method = Method::post, .target = "/x"}, deadline_in(10s)));
    context.run();
    return outcome.get();
  }
  void open_it() {
    transport_.fails = &errors::peer_unavailable;
    for (int i = 0; i < 3; ++i) EXPECT_FALSE(ask());
    ASSERT_EQ(peer_.breaker(), BreakerState::open);
  }

  HandClock clock_;
  ScriptedTransport transport_;
  Peer peer_{"shelf",
             {"127.0.0.1:1"},
             {.identity = {}, .attempts_max = 1, .failures_to_open = 3, .open_for = 1000ms},
             transport_};
};

TEST_F(BreakerTest, opens_after_failures_in_a_row_and_then_asks_nobody) {
  open_it();
  EXPECT_EQ(transport_.calls, 3);
  const auto outcome = ask();
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(outcome.error().is(errors::peer_unavailable));
  EXPECT_EQ(transport_.calls, 3);
}

TEST_F(BreakerTest, an_answer_in_between_begins_the_count_anew) {
  transport_.fails = &errors::connection_lost;
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(ask());
  transport_.fails = nullptr;
  EXPECT_TRUE(ask());
  transport_.fails = &errors::deadline_exceeded;
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(ask());
  EXPECT_EQ(peer_.breaker(), BreakerState::closed);
}

TEST_F(BreakerTest, a_shortage_on_this_side_says_nothing_of_the_peer) {
  transport_.fails = &errors::no_connection_to_spare;
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(ask().error().is(errors::no_connection_to_spare));
  EXPECT_EQ(peer_.breaker(), BreakerState::closed);
  open_it();
  clock_.passed += 1501ms;
  transport_.fails = &errors::no_connection_to_spare;
  EXPECT_FALSE(ask());
  EXPECT_EQ(peer_.breaker(), BreakerState::half_open) << "nor does it close";
}

TEST_F(BreakerTest, one_probe_after_the_interval_closes_it_again) {
  open_it();
  clock_.passed += 499ms;
  EXPECT_FALSE(ask());
  EXPECT_EQ(transport_.calls, 3) << "never before half the interval";
  clock_.passed += 1002ms;
  transport_.fails = nullptr;
  EXPECT_TRUE(ask());
  EXPECT_EQ(peer_.breaker(), BreakerState::closed);
}

TEST_F(BreakerTest, a_probe_without_an_answer_opens_it_again) {
  open_it();
  clock_.passed += 1501ms;
  EXPECT_FALSE(ask());
  EXPECT_EQ(transport_.calls, 4);
  EXPECT_EQ(peer_.breaker(), BreakerState::open);
  EXPECT_FALSE(ask());
  EXPECT_EQ(transport_.calls, 4);
}

TEST_F(BreakerTest, a_probe_that_takes_long_is_followed_by_another) {
  open_it();
  clock_.passed += 1501ms;
  transport_.fails = nullptr;
  transport_.hangs = true;
  boost::asio::io_context context{1};
  const auto probe =
      begin(context.get_executor(), peer_.exchange({.target = "/feed"}, deadline_in(25s)));
  context.poll();
  transport_.hangs = false;
  EXPECT_FALSE(ask());
  clock_.passed += 1001ms;
  EXPECT_TRUE(ask());
  EXPECT_EQ(peer_.breaker(), BreakerState::closed);
  EXPECT_TRUE(probe.valid());
}

TEST_F(BreakerTest, a_deadline_that_has_passed_asks_nobody) {
  boost::asio::io_context context{1};
  auto outcome = begin(context.get_executor(), peer_.exchange({.target = "/x"}, deadline_in(0s)));
  context.run();
  EXPECT_TRUE(outcome.get().error().is(errors::peer_unavailable));
  EXPECT_EQ(transport_.calls, 0);
}

TEST(RetryBudget, a_peer_that_is_down_gets_few_retries_more) {
  ScriptedTransport transport;
  transport.fails = &errors::connection_lost;
  Peer peer{"shelf",
            {"127.0.0.1:1"},
            {.identity = {}, .attempts_max = 3, .backoff = 0ms, .failures_to_open = 1'000'000},
            transport};
  boost::asio::io_context context{1};
  boost::asio::co_spawn(
      context,
      [](Peer* asked) -> Task<> {
        for (int i = 0; i < 100; ++i)
          (void)co_await asked->exchange({.target = "/x"}, deadline_in(10s));
      }(&peer),
      boost::asio::detached);
  context.run();
  EXPECT_GE(transport.calls, 120);
  EXPECT_LE(transport.calls, 131) << "10 at first, then one for five calls";
}

}  // namespace
}  // namespace freehold::http
