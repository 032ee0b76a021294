// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/epoll.h>

#include <array>
#include <boost/asio/ip/tcp.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <list>
#include <string>
#include <string_view>

#include "bench/http/answer_reader.h"
#include "freehold/base/clock.h"
#include "freehold/base/descriptor.h"
#include "freehold/base/result.h"

namespace bench {

// The connections of one thread, kept alive from request to request, in a bare epoll loop. The load
// shares its cores with the shop, so a request costs what it must: a send, a receive, its part of
// one wait for many, one look at the clock. What freehold/http's transport does for any caller
// (timers, coroutines, calls from every thread) costs that much again.
class Connections {
 public:
  struct Options {
    std::size_t of_an_address_max = 1;         // beyond it a request waits for its turn
    std::chrono::nanoseconds answered_within;  // from when it is sent; as long for its turn; > 0
  };

  // Told of each request, by the number that it was given, when it has come to its end; may ask
  // again. Fails with
  //   peer_unavailable        no connection, or it took no more of the request
  //   no_connection_to_spare  its turn never came
  //   connection_lost         it was closed without a whole answer
  //   unexpected_answer       what came is no HTTP
  //   deadline_exceeded       nothing came in time
  using Ended = std::function<void(std::size_t number, const freehold::Result<Answer>& answer,
                                   freehold::Deadline now)>;

  Connections(Options options, Ended ended);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // Makes an address known, "127.0.0.1:8081" or "[::1]:8081"; what it is called from now on.
  // Refused: malformed.
  freehold::Result<std::size_t> add(std::string_view address);

  // Sends a whole request, which has that number. `Ended` is told of it by a later wait only.
  void ask(std::size_t address, std::string_view request, std::size_t number,
           freehold::Deadline now);

  // Waits until something has arrived or a deadline has passed, `until` at the latest, and tells
  // what has come to its end. An answer's texts are good until it is told of the next one.
  void wait(freehold::Deadline until);

  bool is_idle() const;  // nothing is under way

 private:
  struct Connection;
  using Place = std::list<Connection>::iterator;

  struct Waiting {
    std::string request;
    std::size_t number = 0;
    freehold::Deadline deadline{};
  };

  struct Address {
    boost::asio::ip::tcp::endpoint endpoint;
    std::list<Connection> idle;  // the one used last is at the back
    std::size_t open = 0;
    std::deque<Waiting> waiting;
  };

  struct Connection {
    Connection(Address& of, int socket) : address(of), socket(socket) {}

    Address& address;
    const freehold::Descriptor socket;
    Place place;  // its own
    AnswerReader reader;
    std::string unsent;  // of the request
    bool is_asked = false;
    std::size_t number = 0;
    freehold::Deadline deadline{};
    int failure = 0;  // errno, when it could not connect or send
  };

  void open(Address& address) const;
  void start(Address& address, std::string_view request, std::size_t number,
             freehold::Deadline now);
  void send(Connection& connection, std::string_view text);
  void broken(Connection& connection, int error);
  void handle(const epoll_event& event);
  void receive(Connection& connection, std::uint32_t events);
  void finish(Connection& connection, bool is_open);
  void fail(Connection& connection, const freehold::Error& why);
  void start_next(Address& address, freehold::Deadline now);
  void end_what_is_late(freehold::Deadline now);
  void end_what_waits(freehold::Deadline now);

  const Options options_;
  const Ended ended_;
  const freehold::Descriptor epoll_;
  std::deque<Address> addresses_;
  std::list<Connection> under_way_;  // in the order of their deadlines; what is broken comes first
  std::array<char, 64 * 1024> input_;
};

}  // namespace bench
