// SPDX-License-Identifier: Apache-2.0
#include "bench/http/connections.h"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <map>
#include <string>
#include <thread>

#include "freehold/base/errors.h"
#include "freehold/http/testing/scripted_server.h"

namespace bench {
namespace {

using boost::asio::ip::tcp;
using freehold::Deadline, freehold::Error, freehold::Result, freehold::SteadyClock;
using freehold::http::ScriptedServer;
using namespace std::chrono_literals;

constexpr std::string_view request = "GET / HTTP/1.1\r\n\r\n";
constexpr std::string_view nothing = "HTTP/1.1 204 No Content\r\n\r\n";

// What came of each request, by its number: the answer's body or the error's name.
class Told {
 public:
  explicit Told(Connections::Options options = {.of_an_address_max = 1, .answered_within = 10s})
      : connections_(options, [this](std::size_t number, const Result<Answer>& answer, Deadline) {
          told_.emplace(number, answer ? answer->body : answer.error().name());
        }) {}

  void ask(std::string_view address, std::size_t number, std::string_view text = request,
           std::chrono::milliseconds ago = 0ms) {
    if (!known_.contains(address)) known_.emplace(address, connections_.add(address).value());
    connections_.ask(known_.find(address)->second, text, number, SteadyClock::now() - ago);
  }

  std::map<std::size_t, std::string> all() {
    while (!connections_.is_idle()) connections_.wait(Deadline::max());
    return told_;
  }

 private:
  std::map<std::size_t, std::string> told_;
  std::map<std::string, std::size_t, std::less<>> known_;
  Connections connections_;
};

std::string answer_of(std::string_view body) {
  return ("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
          "\r\n\r\n")
      .append(body);
}

using Expected = std::map<std::size_t, std::string>;

TEST(Connections, a_request_beyond_the_connections_waits_for_its_turn) {
  ScriptedServer server{{answer_of("one"), answer_of("two"), answer_of("three")}};
  Told told;
  for (const std::size_t number : {1, 2, 3}) told.ask(server.address(), number);
  EXPECT_EQ(told.all(), (Expected{{1, "one"}, {2, "two"}, {3, "three"}}));
}

TEST(Connections, what_is_larger_than_a_socket_takes_leaves_and_arrives_whole) {
  std::string large;
  large.resize(20'000'000, 'x');
  ScriptedServer server{{answer_of(std::string_view{large}.substr(0, 10'000'000))}};
  Told told;
  told.ask(server.address(), 1, "POST / HTTP/1.1\r\nContent-Length: 20000000\r\n\r\n" + large);
  EXPECT_EQ(told.all()[1].size(), 10'000'000);
}

TEST(Connections, a_closed_one_and_what_is_no_http_are_told_apart) {
  ScriptedServer server{{"", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "no HTTP\r\n\r\n",
                         answer_of("and on")}};
  Told told;
  for (const std::size_t number : {1, 2, 3, 4}) told.ask(server.address(), number);
  EXPECT_EQ(told.all(), (Expected{{1, "connection_lost"},
                                  {2, "connection_lost"},
                                  {3, "unexpected_answer"},
                                  {4, "and on"}}));
}

TEST(Connections, without_a_connection_nothing_was_asked) {
  Told told;
  for (const std::size_t number : {1, 2}) told.ask("127.0.0.1:1", number);
  EXPECT_EQ(told.all(), (Expected{{1, "peer_unavailable"}, {2, "peer_unavailable"}}));
}

// The server waits for the rest of the request.
TEST(Connections, an_answer_that_does_not_come_is_not_waited_for) {
  ScriptedServer server{{answer_of("never")}};
  Told told{{.of_an_address_max = 1, .answered_within = 50ms}};
  told.ask(server.address(), 1, "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhalf");
  const auto begun = SteadyClock::now();
  EXPECT_EQ(told.all(), (Expected{{1, "deadline_exceeded"}}));
  EXPECT_GE(SteadyClock::now() - begun, 45ms);
}

TEST(Connections, what_has_waited_too_long_is_not_sent) {
  ScriptedServer server{{answer_of("one"), answer_of("never")}};
  Told told;
  told.ask(server.address(), 1);
  told.ask(server.address(), 2, request, 11s);
  EXPECT_EQ(told.all(), (Expected{{1, "one"}, {2, "no_connection_to_spare"}}));
  EXPECT_EQ(server.requests(), 1);
}

TEST(Connections, are_used_again_also_by_who_asks_when_it_is_told) {
  boost::asio::io_context io;
  tcp::acceptor acceptor{io, {boost::asio::ip::address_v4::loopback(), 0}};
  const std::string address = "127.0.0.1:" + std::to_string(acceptor.local_endpoint().port());
  const std::jthread server{[&] {
    tcp::socket socket = acceptor.accept();
    acceptor.close();  // whoever connects again is refused
    std::string input;
    boost::system::error_code failure;
    while (boost::asio::read_until(socket, boost::asio::dynamic_buffer(input), "\r\n\r\n", failure),
           !failure) {
      input.clear();
      boost::asio::write(socket, boost::asio::buffer(nothing), failure);
    }
  }};
  std::size_t told = 0;
  Connections connections{{.of_an_address_max = 4, .answered_within = 10s},
                          [&](std::size_t number, const Result<Answer>& answer, Deadline now) {
                            EXPECT_TRUE(answer) << answer.error().text();
                            ++told;
                            if (number < 5) connections.ask(0, request, number + 1, now);
                          }};
  ASSERT_TRUE(connections.add(address));
  connections.ask(0, request, 1, SteadyClock::now());
  while (!connections.is_idle()) connections.wait(Deadline::max());
  EXPECT_EQ(told, 5U);
}

TEST(Connections, a_wait_ends_at_its_time) {
  Connections connections{{.answered_within = 1s},
                          [](std::size_t, const Result<Answer>&, Deadline) { FAIL(); }};
  const Deadline until = SteadyClock::now() + 20ms;
  connections.wait(until);
  EXPECT_GE(SteadyClock::now(), until - 1ms);
}

TEST(Connections, an_address_has_a_host_in_numbers_and_a_port) {
  Connections connections{{.answered_within = 1s},
                          [](std::size_t, const Result<Answer>&, Deadline) {}};
  EXPECT_TRUE(connections.add("127.0.0.1:80"));
  EXPECT_TRUE(connections.add("[::1]:80"));
  for (const std::string_view text :
       {"", "127.0.0.1", "localhost:80", "127.0.0.1:", ":80", "127.0.0.1:80x", "127.0.0.1:99999"})
    EXPECT_FALSE(connections.add(text)) << text;
}

}  // namespace
}  // namespace bench
