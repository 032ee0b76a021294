// SPDX-License-Identifier: Apache-2.0
#include "bench/http/connections.h"

#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/ip/address.hpp>
#include <cerrno>
#include <charconv>
#include <system_error>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"

namespace bench {

using freehold::Deadline, freehold::Error, freehold::Result, freehold::SteadyClock;
namespace errors = freehold::errors;

namespace {

constexpr std::size_t events_max = 64;  // of one wait: between two, an open loop sends what is due

std::string text_of(int error) {
  return std::generic_category().message(error);
}

}  // namespace

Connections::Connections(Options options, Ended ended)
    : options_(options), ended_(std::move(ended)), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  FREEHOLD_ASSERT(epoll_.is_open(), "no epoll can be had");
  FREEHOLD_ASSERT(options_.answered_within.count() > 0, "an answer takes some time");
}

Connections::~Connections() = default;

Result<std::size_t> Connections::add(std::string_view address) {
  const Error refused{errors::malformed, std::string{address} + " is no address and port"};
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return refused;
  std::string_view host = address.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view digits = address.substr(colon + 1);
  std::uint16_t port = 0;
  const auto [end, wrong] = std::from_chars(digits.begin(), digits.end(), port);
  if (wrong != std::errc{} || end != digits.end()) return refused;
  boost::system::error_code failure;
  const auto ip = boost::asio::ip::make_address(std::string{host}, failure);
  if (failure) return refused;
  addresses_.push_back({.endpoint = {ip, port}});
  return addresses_.size() - 1;
}

bool Connections::is_idle() const {
  return under_way_.empty();
}

void Connections::ask(std::size_t address, std::string_view request, std::size_t number,
                      Deadline now) {
  Address& to = addresses_[address];
  if (to.idle.empty() && to.open == options_.of_an_address_max)
    to.waiting.push_back({std::string{request}, number, now + options_.answered_within});
  else
    start(to, request, number, now);
}

void Connections::start(Address& address, std::string_view request, std::size_t number,
                        Deadline now) {
  if (address.idle.empty()) open(address);
  Connection& connection = address.idle.back();
  under_way_.splice(under_way_.end(), address.idle, connection.place);
  connection.is_asked = true;
  connection.number = number;
  connection.deadline = now + options_.answered_within;
  connection.reader.begin();
  if (connection.failure == 0)
    send(connection, request);
  else
    broken(connection, connection.failure);
}

// Edge-triggered and for both directions, so that a connection is told of to the kernel once.
void Connections::open(Address& address) const {
  const auto& to = address.endpoint;
  Connection& connection = address.idle.emplace_back(
      address, ::socket(to.protocol().family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  connection.place = std::prev(address.idle.end());
  ++address.open;
  const int socket = connection.socket.number();
  const int yes = 1;
  epoll_event wanted{.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
                     .data = {.ptr = &connection}};
  if (socket < 0 || ::setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) != 0 ||
      (::connect(socket, to.data(), static_cast<socklen_t>(to.size())) != 0 &&
       errno != EINPROGRESS) ||
      ::epoll_ctl(epoll_.number(), EPOLL_CTL_ADD, socket, &wanted) != 0)
    connection.failure = errno;
}

// What does not leave at once, also because it is not connected yet, leaves when there is room.
void Connections::send(Connection& connection, std::string_view text) {
  const ssize_t sent = ::send(connection.socket.number(), text.data(), text.size(), MSG_NOSIGNAL);
  if (sent < 0 && errno != EAGAIN) return broken(connection, errno);
  connection.unsent = text.substr(static_cast<std::size_t>(std::max<ssize_t>(sent, 0)));
}

void Connections::broken(Connection& connection, int error) {
  connection.failure = error;
  connection.deadline = {};
  under_way_.splice(under_way_.begin(), under_way_, connection.place);
}

void Connections::wait(Deadline until) {
  if (!under_way_.empty()) until = std::min(until, under_way_.front().deadline);
  for (const Address& address : addresses_)
    if (!address.waiting.empty()) until = std::min(until, address.waiting.front().deadline);
  const auto left = std::max(until - SteadyClock::now(), std::chrono::nanoseconds::zero());
  const auto seconds = std::chrono::floor<std::chrono::seconds>(left);
  const timespec timeout{.tv_sec = seconds.count(), .tv_nsec = (left - seconds).count()};
  std::array<epoll_event, events_max> events;
  const int count =
      ::epoll_pwait2(epoll_.number(), events.data(), events.size(), &timeout, nullptr);
  FREEHOLD_ASSERT(count >= 0 || errno == EINTR, text_of(errno).c_str());
  end_what_waits(SteadyClock::now());  // before a connection that is free now takes it
  for (int i = 0; i < count; ++i) handle(events.at(static_cast<std::size_t>(i)));
  end_what_is_late(SteadyClock::now());
}

void Connections::handle(const epoll_event& event) {
  Connection& connection = *static_cast<Connection*>(event.data.ptr);
  if (connection.failure == 0 && (event.events & EPOLLOUT) != 0 && !connection.unsent.empty())
    send(connection, std::exchange(connection.unsent, {}));
  if (connection.failure != 0 || (event.events & ~EPOLLOUT) == 0) return;
  if (connection.is_asked) return receive(connection, event.events);
  // Closed by the peer, or it says what nobody asked for.
  Address& address = connection.address;
  address.idle.erase(connection.place);
  --address.open;
}

// A short read has emptied the socket: another would only tell so. When the peer has closed, its
// end lies behind what it has sent.
void Connections::receive(Connection& connection, std::uint32_t events) {
  const bool may_end = (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0;
  AnswerReader& reader = connection.reader;
  ssize_t count = 0;
  do {
    count = ::recv(connection.socket.number(), input_.data(), input_.size(), 0);
    if (count < 0 && errno == EAGAIN) break;
    if (count < 0) return fail(connection, {errors::connection_lost, text_of(errno)});
    const auto read = count > 0 ? reader.take({input_.data(), static_cast<std::size_t>(count)})
                                : reader.take_end();
    if (!read) return fail(connection, read.error());
  } while (!reader.is_whole() &&
           (count == static_cast<ssize_t>(input_.size()) || (may_end && count > 0)));
  // What is left in the socket behind an answer would be told by no edge.
  if (reader.is_whole())
    finish(connection, !may_end && count < static_cast<ssize_t>(input_.size()));
}

void Connections::finish(Connection& connection, bool is_open) {
  const Deadline now = SteadyClock::now();
  const std::size_t number = connection.number;
  Address& address = connection.address;
  const Answer answer = connection.reader.answer();
  std::list<Connection> closed;  // with what the answer's texts lie in
  if (is_open && connection.reader.may_go_on() && connection.unsent.empty()) {
    connection.is_asked = false;
    address.idle.splice(address.idle.end(), under_way_, connection.place);
  } else {
    closed.splice(closed.end(), under_way_, connection.place);
    --address.open;
  }
  start_next(address, now);
  ended_(number, answer, now);
}

void Connections::fail(Connection& connection, const Error& why) {
  const Deadline now = SteadyClock::now();
  const std::size_t number = connection.number;
  Address& address = connection.address;
  under_way_.erase(connection.place);
  --address.open;
  start_next(address, now);
  ended_(number, why, now);
}

void Connections::start_next(Address& address, Deadline now) {
  if (address.waiting.empty()) return;
  const Waiting next = std::move(address.waiting.front());
  address.waiting.pop_front();
  start(address, next.request, next.number, now);
}

// Takes all of them out first: whoever is told may ask again, and be late at once.
void Connections::end_what_is_late(Deadline now) {
  std::list<Connection> late;
  late.splice(late.end(), under_way_, under_way_.begin(),
              std::ranges::find_if(under_way_, [&](const Connection& connection) {
                return connection.deadline > now;
              }));
  for (const Connection& connection : late) {
    --connection.address.open;
    start_next(connection.address, now);
    if (connection.failure != 0)
      ended_(connection.number, Error{errors::peer_unavailable, text_of(connection.failure)}, now);
    else
      ended_(connection.number, errors::deadline_exceeded, now);
  }
}

void Connections::end_what_waits(Deadline now) {
  for (Address& address : addresses_)
    while (!address.waiting.empty() && address.waiting.front().deadline <= now) {
      const std::size_t number = address.waiting.front().number;
      address.waiting.pop_front();
      ended_(number, errors::no_connection_to_spare, now);
    }
}

}  // namespace bench
