// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/event_stream.h"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "freehold/http/testing/served_routes.h"

namespace freehold::http {
namespace {

using namespace std::chrono_literals;

std::atomic<int> producers = 0;

// Counts the producers that live, also when one is cancelled.
struct Alive {
  Alive() { ++producers; }
  ~Alive() { --producers; }
  Alive(const Alive&) = delete;
  Alive& operator=(const Alive&) = delete;
};

Task<> pause(std::chrono::milliseconds length) {
  boost::asio::basic_waitable_timer<SteadyClock> timer{co_await boost::asio::this_coro::executor};
  timer.expires_after(length);
  co_await timer.async_wait(boost::asio::use_awaitable);
}

Task<> count_to_three(StreamWriter writer) {
  const Alive alive;
  for (int i = 1; i <= 3; ++i) {
    const std::string number = std::to_string(i);
    if (!co_await writer.send({.id = number, .event = "count", .data = "at\n" + number})) co_return;
  }
}

Task<> say_one_thing_and_wait(StreamWriter writer) {
  const Alive alive;
  (void)co_await writer.send({.id = "1", .event = "", .data = "hello"});
  co_await pause(1h);
}

Task<> flood(StreamWriter writer) {
  const Alive alive;
  while (co_await writer.send({.id = "", .event = "", .data = std::string(10'000, 'x')})) {
  }
}

Task<> fail(StreamWriter) {
  throw std::runtime_error{"no more"};
}

template <Task<> (*Producer)(StreamWriter)>
Task<Result<EventStream>> stream(None, Call) {
  co_return EventStream{Producer};
}

class StreamTest : public testing::Test {
 protected:
  StreamTest() : served_({.write_timeout = 200ms, .heartbeat = 20ms}) {
    producers = 0;
    served_.routes().get<"/count">(stream<count_to_three>).open();
    served_.routes().get<"/wait">(stream<say_one_thing_and_wait>).open();
    served_.routes().get<"/flood">(stream<flood>).open();
    served_.routes().get<"/fail">(stream<fail>).open();
    served_.routes().get<"/mine">(stream<say_one_thing_and_wait>).signed_in();
    served_.start();
  }
  static bool all_producers_ended() {
    return comes_true([] { return producers == 0; });
  }

  ServedRoutes served_;
};

TEST(StreamEvent, is_written_as_the_format_wants_it) {
  std::string out;
  write_event(out, {.id = "7\nx", .event = "state", .data = "a\nb"});
  EXPECT_EQ(out, "id: 7 x\nevent: state\ndata: a\ndata: b\n\n");
  out.clear();
  write_event(out, {.id = "", .event = "", .data = ""});
  EXPECT_EQ(out, "data: \n\n");
}

TEST_F(StreamTest, events_arrive_in_order_and_the_end_ends_the_connection) {
  RawClient client{served_.port()};
  client.send(request("GET", "/count"));
  const std::string head = client.read_until("\r\n\r\n");
  EXPECT_TRUE(head.contains("Content-Type: text/event-stream\r\n")) << head;
  EXPECT_FALSE(head.contains("Content-Length")) << head;
  EXPECT_EQ(client.read_until("nothing"),
            "id: 1\nevent: count\ndata: at\ndata: 1\n\nid: 2\nevent: count\ndata: at\ndata: 2\n\n"
            "id: 3\nevent: count\ndata: at\ndata: 3\n\n");
  EXPECT_TRUE(client.is_closed());
}

TEST_F(StreamTest, a_heartbeat_comes_while_there_is_nothing_to_say) {
  RawClient client{served_.port()};
  client.send(request("GET", "/wait"));
  EXPECT_TRUE(client.read_until("data: hello\n\n").ends_with("data: hello\n\n"));
  EXPECT_EQ(client.read_until(":\n\n"), ":\n\n");
  EXPECT_EQ(client.read_until(":\n\n"), ":\n\n");
}

TEST_F(StreamTest, a_stream_ends_with_the_token_that_opened_it) {
  RawClient client{served_.port()};
  client.send(request("GET", "/mine", "Authorization: Bearer ann:customer:300\r\n"));
  EXPECT_TRUE(client.read_until("hello").ends_with("hello"));
  const auto begin = SteadyClock::now();
  client.read_until("nothing");
  EXPECT_TRUE(client.is_closed());
  EXPECT_LT(SteadyClock::now() - begin, 5s);
  EXPECT_TRUE(all_producers_ended());
  RawClient other{served_.port()};
  other.send(request("GET", "/mine", "Authorization: Bearer ann:customer:3600000\r\n"));
  EXPECT_TRUE(other.read_until(":\n\n").ends_with(":\n\n")) << "one that is good goes on";
}

TEST_F(StreamTest, a_producer_ends_when_its_client_leaves) {
  {
    RawClient client{served_.port()};
    client.send(request("GET", "/wait"));
    client.read_until("hello");
    EXPECT_EQ(producers, 1);
  }
  EXPECT_TRUE(all_producers_ended());
  EXPECT_TRUE(comes_true([&] { return served_.server().connections() == 0; }));
}

TEST_F(StreamTest, a_producer_ends_when_its_client_reads_nothing) {
  RawClient client{served_.port()};
  client.send(request("GET", "/flood"));
  client.read_until("data: x");
  EXPECT_TRUE(all_producers_ended());
}

TEST_F(StreamTest, a_producer_ends_when_the_server_stops) {
  RawClient client{served_.port()};
  client.send(request("GET", "/wait"));
  client.read_until("hello");
  std::jthread stopping{[&] { served_.stop(10s); }};
  client.read_until("nothing");
  client.close();
  stopping.join();
  EXPECT_EQ(producers, 0);
}

TEST_F(StreamTest, a_producer_that_throws_ends_its_stream_and_nothing_else) {
  RawClient client{served_.port()};
  client.send(request("GET", "/fail"));
  client.read_until("nothing");
  EXPECT_TRUE(client.is_closed());
  EXPECT_EQ(RawClient{served_.port()}.ask(request("HEAD", "/count")).status, 200);
}

}  // namespace
}  // namespace freehold::http
