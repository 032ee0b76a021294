// SPDX-License-Identifier: Apache-2.0
//
// The server's sockets: a listener for each I/O thread and a coroutine for each connection. There
// is no message object and no timer per request: requests and responses are kept and used again,
// head and body leave in one string, and one watch per listener ends the connections that are late.
#include "freehold/http/server.h"

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/experimental/parallel_group.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/error.hpp>
#include <list>
#include <tuple>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/http/internal/message_parser.h"
#include "freehold/http/internal/pieces.h"
#include "freehold/http/internal/unsent_answers.h"
#include "freehold/http/internal/wire.h"
#include "freehold/http/problem.h"

namespace freehold::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using internal::Pieces, internal::drop_front, internal::joined_bytes_max;
using Timer = asio::basic_waitable_timer<SteadyClock>;

constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
constexpr int backlog_max = 1024;  // connections that are not accepted yet
constexpr std::size_t input_bytes_first = 4 * 1024;
constexpr std::chrono::seconds farewell_timeout{2};  // for a client to take a last answer

error_code open(tcp::acceptor& acceptor, const tcp::endpoint& endpoint) {
  error_code failure;
  acceptor.open(endpoint.protocol(), failure);
  if (!failure) acceptor.set_option(tcp::acceptor::reuse_address{true}, failure);
  if (!failure) acceptor.bind(endpoint, failure);
  if (!failure) acceptor.listen(backlog_max, failure);
  return failure;
}

// What became of waiting for a request.
enum class Arrival { whole, refused, none };

}  // namespace

// Knows the connections of one I/O thread. The first one accepts for all.
class Server::Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(const Routes& routes, const ServerOptions& options, const asio::any_io_executor& thread)
      : routes_(routes),
        options_(options),
        thread_(thread),
        acceptor_(thread),
        pulse_(thread),
        emptied_(thread) {}

  class Connection;

  using Listeners = std::vector<std::shared_ptr<Listener>>;
  void start();
  static Task<> accept(Listeners listeners);  // on the first one's thread, for all
  void accept_from(tcp::acceptor acceptor) { acceptor_ = std::move(acceptor); }
  void begin_stop();  // from here on each connection has one more answer at most
  Task<> drain(Deadline deadline);
  Task<> until_empty(Deadline deadline);

  const Routes& routes() const { return routes_; }
  const ServerOptions& options() const { return options_; }
  bool is_stopping() const { return stopping_; }
  bool is_drained() const { return drained_; }
  std::size_t connections() const { return open_.load(std::memory_order_relaxed); }
  internal::UnsentAnswers& unsent() { return unsent_; }
  std::string_view date();

  std::list<Connection*>::iterator enter(Connection& connection);
  void leave(std::list<Connection*>::iterator place);

 private:
  static Task<> watch(std::shared_ptr<Listener> listener);
  static void take(const std::shared_ptr<Listener>& listener, tcp::socket socket);
  static Task<> serve(std::shared_ptr<Listener> listener, tcp::socket socket);
  static void turn_away(tcp::socket socket);
  Task<> until_none_is_open(Deadline deadline);

  const Routes& routes_;
  const ServerOptions options_;
  const asio::any_io_executor thread_;
  tcp::acceptor acceptor_;
  Timer pulse_;
  Timer emptied_;
  std::list<Connection*> connections_;
  std::atomic<std::size_t> open_ = 0;  // accepted and not ended
  internal::UnsentAnswers unsent_{options_.unsent_bytes_max};
  bool accepting_ = false;
  bool stopping_ = false;
  bool drained_ = false;  // stopping, and whoever is idle still is closed
  Deadline drained_at_{};
  std::string date_;
  std::chrono::sys_seconds date_at_{};
};

// One connection: reads a request, has it answered, writes the answer, and again.
class Server::Listener::Connection final : public StreamSink {
 public:
  Connection(Listener& listener, tcp::socket socket)
      : listener_(listener), options_(listener.options()), socket_(std::move(socket)) {
    input_.resize(input_bytes_first);
    place_ = listener_.enter(*this);
  }
  ~Connection() override { listener_.leave(place_); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Task<> run();
  void check_time(Deadline now);  // ends what is late
  void end_stream();
  void wake_if_idle();
  void cut();

  Task<Result<>> write(std::string bytes) override;  // an event of the stream

 private:
  Task<Arrival> read_request();
  Arrival refuse(error_code failure);
  Arrival stopped_reading(bool request_began);
  bool make_room();
  Arrival refuse(const Error& why);
  Task<bool> send(bool keep);
  Task<bool> send_rest(Pieces pieces);
  Task<> stream();
  Task<> produce(EventStream* stream);
  Task<> beat(Deadline end);
  Task<> until_client_leaves();
  Task<> say_farewell();
  void allow(std::chrono::nanoseconds timeout) { late_at_ = deadline_in(timeout); }
  void allow_any() { late_at_ = Deadline::max(); }

  Listener& listener_;
  const ServerOptions& options_;
  std::list<Connection*>::iterator place_;
  tcp::socket socket_;
  Request request_;
  internal::MessageParser<Request> parser_{request_,
                                           {options_.header_bytes_max, options_.body_bytes_max}};
  Response response_;
  std::string input_;  // bytes [begin_, end_) have arrived and are not parsed yet
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::string output_;
  Deadline late_at_ = Deadline::max();
  bool timed_out_ = false;
  bool keep_alive_ = true;   // what the last request allows
  bool old_client_ = false;  // HTTP/1.0
  bool idle_ = false;        // waits for the first byte of a request
  bool streaming_ = false;
  bool writing_ = false;  // an event is on its way
};

Task<> Server::Listener::Connection::run() {
  for (;;) {
    const Arrival arrival = co_await read_request();
    if (arrival == Arrival::none) co_return;
    allow_any();
    if (arrival == Arrival::whole) {
      co_await listener_.routes().answer(&request_, &response_,
                                         deadline_in(options_.answer_timeout));
      if (response_.stream) co_return co_await stream();
    }
    const bool keep = keep_alive_ && arrival == Arrival::whole && !listener_.is_stopping();
    if (!co_await send(keep)) co_return;
    if (!keep) co_return co_await say_farewell();
  }
}

Task<Arrival> Server::Listener::Connection::read_request() {
  request_.clear();
  response_.clear();  // an idle connection keeps no large answer
  parser_.begin();
  parser_.take_body();
  bool told_to_continue = false;
  bool began = begin_ < end_;
  allow(began ? options_.request_timeout : options_.idle_timeout);
  for (;;) {
    if (begin_ < end_) {
      error_code failure;
      begin_ += parser_.put({input_.data() + begin_, end_ - begin_}, failure);
      if (failure) co_return refuse(failure);
      if (parser_.is_done()) {
        keep_alive_ = parser_.keep_alive();
        old_client_ = parser_.is_old();
        if (old_client_ || request_.headers.find("Host")) co_return Arrival::whole;
        co_return refuse(Error{errors::malformed, "Host is missing"});
      }
      if (parser_.is_header_done() && !told_to_continue) {
        told_to_continue = true;
        const auto expected = request_.headers.find("Expect");
        if (expected && equal_without_case(*expected, "100-continue")) {
          output_ = "HTTP/1.1 100 Continue\r\n\r\n";
          if (!co_await send_rest({asio::buffer(output_)})) co_return Arrival::none;
          allow(options_.request_timeout);
        }
      }
    }
    if (!make_room()) co_return refuse(boost::beast::http::error::header_limit);
    const auto room = asio::buffer(input_.data() + end_, input_.size() - end_);
    error_code failure = asio::error::operation_aborted;
    std::size_t arrived = 0;
    if (began || !listener_.is_drained()) {
      idle_ = !began;
      std::tie(failure, arrived) = co_await socket_.async_read_some(room, as_tuple);
      idle_ = false;
    }
    // At the end of a drain, a request that has come by then is still served.
    if (failure == asio::error::operation_aborted && !began && listener_.is_drained())
      arrived = socket_.read_some(room, failure);
    if (failure) co_return stopped_reading(began);
    end_ += arrived;
    if (!began) allow(options_.request_timeout);
    began = true;
  }
}

// Moves what has arrived to the front and makes the buffer larger when it is full. False: it is as
// large as it may become.
bool Server::Listener::Connection::make_room() {
  if (begin_ > 0) {
    std::copy(input_.begin() + static_cast<std::ptrdiff_t>(begin_),
              input_.begin() + static_cast<std::ptrdiff_t>(end_), input_.begin());
    end_ -= begin_;
    begin_ = 0;
  }
  if (end_ < input_.size()) return true;
  const std::size_t bytes_max = options_.header_bytes_max + input_bytes_first;
  if (input_.size() >= bytes_max) return false;
  input_.resize(std::min(input_.size() * 2, bytes_max));
  return true;
}

Arrival Server::Listener::Connection::refuse(const Error& why) {
  write_problem(response_, why);
  return Arrival::refused;
}

Arrival Server::Listener::Connection::refuse(error_code failure) {
  using boost::beast::http::error;
  const auto text = [](std::size_t bytes) { return std::to_string(bytes) + " bytes are allowed"; };
  if (failure == error::body_limit)
    return refuse(Error{errors::too_large, "body: " + text(options_.body_bytes_max)});
  if (failure != error::header_limit)
    return refuse(Error{errors::malformed, "not HTTP/1.1: " + failure.message()});
  refuse(Error{errors::too_large, "head: " + text(options_.header_bytes_max)});
  response_.status = 431;
  return Arrival::refused;
}

Arrival Server::Listener::Connection::stopped_reading(bool request_began) {
  if (!timed_out_ || !request_began) return Arrival::none;
  timed_out_ = false;
  return refuse(errors::too_slow);
}

// Writes the response. What fits the socket's buffer goes at once, without a turn of the loop.
Task<bool> Server::Listener::Connection::send(bool keep) {
  output_.clear();
  internal::write_head(output_, response_, listener_.date());
  if (!keep)
    output_ += "Connection: close\r\n";
  else if (old_client_)
    output_ += "Connection: keep-alive\r\n";
  output_ += "\r\n";
  Pieces pieces{};
  if (request_.method != Method::head) {
    if (response_.body.size() <= joined_bytes_max)
      output_ += response_.body;
    else
      pieces[1] = asio::buffer(response_.body);
  }
  pieces[0] = asio::buffer(output_);
  error_code failure;
  drop_front(pieces, socket_.write_some(pieces, failure));
  if (failure && failure != asio::error::would_block) co_return false;
  if (asio::buffer_size(pieces) == 0) co_return true;
  co_return co_await send_rest(pieces);
}

Task<bool> Server::Listener::Connection::send_rest(Pieces pieces) {
  const internal::UnsentAnswers::Waiting waiting{
      listener_.unsent(), output_.capacity() + response_.body.capacity(), [this] { cut(); }};
  while (asio::buffer_size(pieces) > 0) {
    allow(options_.write_timeout);
    const auto [failure, count] = co_await socket_.async_write_some(pieces, as_tuple);
    if (failure) co_return false;
    drop_front(pieces, count);
  }
  allow_any();
  co_return true;
}

// Lets the client take the last answer before the connection goes: a socket that is closed with
// bytes unread resets it, and the answer with it.
Task<> Server::Listener::Connection::say_farewell() {
  error_code ignored;
  socket_.shutdown(tcp::socket::shutdown_send, ignored);
  allow(farewell_timeout);
  for (;;) {
    const auto [failure, count] = co_await socket_.async_read_some(asio::buffer(input_), as_tuple);
    if (failure) co_return;
  }
}

// The stream ends when its producer returns, the client leaves or the server stops, whichever is
// first; the others are cancelled and waited for, so that nothing outlives the connection.
Task<> Server::Listener::Connection::stream() {
  output_.clear();
  response_.headers.add("Content-Type", "text/event-stream");
  response_.headers.add("Cache-Control", "no-store");
  response_.headers.add("X-Accel-Buffering", "no");
  internal::write_head(output_, response_, listener_.date());
  output_ += "Connection: close\r\n\r\n";
  if (!co_await send_rest({asio::buffer(output_)})) co_return;
  if (request_.method == Method::head || listener_.is_stopping()) co_return;
  streaming_ = true;
  EventStream produced = std::move(response_.stream);
  const auto thread = socket_.get_executor();
  const auto outcome = co_await asio::experimental::make_parallel_group(
                           asio::co_spawn(thread, produce(&produced), asio::deferred),
                           asio::co_spawn(thread, until_client_leaves(), asio::deferred),
                           asio::co_spawn(thread, beat(produced.ends_at()), asio::deferred))
                           .async_wait(asio::experimental::wait_for_one(), asio::use_awaitable);
  const bool producer_ended_first = std::get<0>(outcome)[0] == 0;
  if (producer_ended_first && std::get<1>(outcome))
    record(Severity::error, "event stream failed", {{"path", request_.path()}});
  streaming_ = false;
  co_await say_farewell();
}

// A coroutine of its own, so that what the producer throws before its first wait stays in it too.
Task<> Server::Listener::Connection::produce(EventStream* stream) {
  co_await stream->run(StreamWriter{*this});
}

Task<> Server::Listener::Connection::until_client_leaves() {
  for (;;) {
    const auto [failure, count] = co_await socket_.async_read_some(asio::buffer(input_), as_tuple);
    if (failure) co_return;  // what a client sends on a stream is not looked at
  }
}

// A comment now and then keeps proxies from ending the stream and finds clients that are gone. It
// is left out while an event is on its way: bytes would mix. Returns when the stream has to end.
Task<> Server::Listener::Connection::beat(Deadline end) {
  static constexpr std::string_view comment = ":\n\n";
  Timer timer{socket_.get_executor()};
  for (;;) {
    timer.expires_at(SteadyClock::now() < end ? std::min(deadline_in(options_.heartbeat), end)
                                              : deadline_in(options_.heartbeat));
    co_await timer.async_wait(asio::use_awaitable);
    if (writing_) continue;
    if (SteadyClock::now() >= end) co_return;
    error_code failure;
    const std::size_t sent = socket_.write_some(asio::buffer(comment), failure);
    if (failure == asio::error::would_block) continue;
    if (failure || sent != comment.size()) co_return;
  }
}

Task<Result<>> Server::Listener::Connection::write(std::string bytes) {
  writing_ = true;
  output_ = std::move(bytes);
  const bool sent = co_await send_rest({asio::buffer(output_)});
  writing_ = false;
  if (!sent) co_return errors::connection_lost;
  co_return Result<>{};
}

void Server::Listener::Connection::check_time(Deadline now) {
  if (now < late_at_) return;
  timed_out_ = true;
  error_code ignored;
  socket_.cancel(ignored);
}

void Server::Listener::Connection::end_stream() {
  error_code ignored;
  if (streaming_) socket_.shutdown(tcp::socket::shutdown_receive, ignored);
}

void Server::Listener::Connection::wake_if_idle() {
  error_code ignored;
  if (idle_) socket_.cancel(ignored);
}

void Server::Listener::Connection::cut() {
  error_code ignored;
  socket_.close(ignored);
}

void Server::Listener::start() {
  asio::co_spawn(thread_, watch(shared_from_this()), asio::detached);
}

// A connection goes to the thread that has the fewest: it stays for long, and a thread that took
// one whenever it was free would keep most of them.
Task<> Server::Listener::accept(Listeners listeners) {
  Listener& first = *listeners.front();
  tcp::acceptor& acceptor = first.acceptor_;
  first.accepting_ = true;
  const auto idlest = [&] {
    return *std::ranges::min_element(listeners, {}, &Listener::connections);
  };
  while (!first.stopping_) {
    const auto listener = idlest();
    auto [failure, socket] = co_await acceptor.async_accept(listener->thread_, as_tuple);
    if (!failure) {
      take(listener, std::move(socket));
    } else if (!first.stopping_) {
      // No descriptor is free, most likely: the next one to be closed makes room.
      record(Severity::warning, "cannot accept a connection", {{"why", failure.message()}});
      Timer pause{first.thread_, std::chrono::milliseconds{100}};
      co_await pause.async_wait(as_tuple);
    }
  }
  // Who has connected before a stop is served: closing would reset them, and what they have sent.
  error_code failure;
  acceptor.non_blocking(true, failure);
  acceptor.set_option(asio::socket_base::enable_connection_aborted{true}, failure);
  for (int i = 0; i < backlog_max && failure != asio::error::would_block; ++i) {
    const auto listener = idlest();
    tcp::socket socket{listener->thread_};
    acceptor.accept(socket, failure);
    if (!failure) take(listener, std::move(socket));
  }
  acceptor.close(failure);
  first.accepting_ = false;
  first.emptied_.cancel();
}

void Server::Listener::take(const std::shared_ptr<Listener>& listener, tcp::socket socket) {
  error_code ignored;
  socket.set_option(tcp::no_delay{true}, ignored);
  socket.non_blocking(true, ignored);
  if (listener->connections() >= listener->options_.connections_max)
    return turn_away(std::move(socket));
  ++listener->open_;
  asio::co_spawn(listener->thread_, serve(listener, std::move(socket)), asio::detached);
}

void Server::Listener::turn_away(tcp::socket socket) {
  Response response;
  write_problem(response, {errors::overloaded, "too many connections"});
  std::string output;
  internal::write_head(output, response, {});
  output += "Connection: close\r\n\r\n" + response.body;
  error_code ignored;
  socket.write_some(asio::buffer(output), ignored);
  socket.shutdown(tcp::socket::shutdown_send, ignored);
}

auto Server::Listener::enter(Connection& connection) -> std::list<Connection*>::iterator {
  return connections_.insert(connections_.end(), &connection);
}

void Server::Listener::leave(std::list<Connection*>::iterator place) {
  --open_;
  connections_.erase(place);
  if (connections_.empty()) emptied_.cancel();
}

Task<> Server::Listener::serve(std::shared_ptr<Listener> listener, tcp::socket socket) {
  Connection connection{*listener, std::move(socket)};
  co_await connection.run();
}

// The one timer of all connections. Timeouts are kept to a quarter of the shortest of them.
Task<> Server::Listener::watch(std::shared_ptr<Listener> listener) {
  Listener& self = *listener;
  const auto shortest = std::min(
      {self.options_.request_timeout, self.options_.idle_timeout, self.options_.write_timeout,
       std::chrono::duration_cast<std::chrono::milliseconds>(farewell_timeout)});
  const auto period = std::max(shortest / 4, std::chrono::milliseconds{5});
  while (!self.drained_ || !self.connections_.empty()) {
    self.pulse_.expires_after(period);
    (void)co_await self.pulse_.async_wait(as_tuple);
    const Deadline now = SteadyClock::now();
    for (Connection* connection : self.connections_) connection->check_time(now);
  }
}

void Server::Listener::begin_stop() {
  stopping_ = true;
  drained_at_ = deadline_in(options_.drain_timeout);
  error_code ignored;
  acceptor_.cancel(ignored);
  for (Connection* connection : connections_) connection->end_stream();
}

Task<> Server::Listener::drain(Deadline deadline) {
  co_await until_none_is_open(std::min(drained_at_, deadline));
  drained_ = true;
  for (Connection* connection : connections_) connection->wake_if_idle();
}

Task<> Server::Listener::until_empty(Deadline deadline) {
  co_await until_none_is_open(deadline);
  if (!connections_.empty())
    record(Severity::warning, "connections cut at stop", {{"count", connections_.size()}});
  for (Connection* connection : connections_) connection->cut();
  pulse_.cancel();
}

Task<> Server::Listener::until_none_is_open(Deadline deadline) {
  while ((accepting_ || connections() > 0) && SteadyClock::now() < deadline) {
    emptied_.expires_at(deadline);
    (void)co_await emptied_.async_wait(as_tuple);
  }
}

std::string_view Server::Listener::date() {
  const auto second = std::chrono::floor<std::chrono::seconds>(now());
  if (second != date_at_) {
    date_at_ = second;
    date_ = internal::http_date(second);
  }
  return date_;
}

Server::Server(const Routes& routes, ServerOptions options,
               std::vector<asio::any_io_executor> threads)
    : routes_(routes), options_(std::move(options)), threads_(std::move(threads)) {}

Server::~Server() = default;

Result<> Server::start() {
  FREEHOLD_TRY(routes_.check());
  const std::string where = options_.address + ':' + std::to_string(options_.port);
  const auto refused = [&](const error_code& why) {
    const bool in_use = why == asio::error::address_in_use;
    return Error{errors::cannot_listen,
                 where + (in_use ? " is in use by another program" : ": " + why.message())};
  };
  error_code failure;
  const auto address = asio::ip::make_address(options_.address, failure);
  if (failure) return refused(failure);
  const tcp::endpoint endpoint{address, options_.port};
  tcp::acceptor acceptor{threads_.front()};
  failure = open(acceptor, endpoint);
  if (failure) return refused(failure);
  port_ = acceptor.local_endpoint().port();
  for (const asio::any_io_executor& thread : threads_) {
    listeners_.push_back(std::make_shared<Listener>(routes_, options_, thread));
    listeners_.back()->start();
  }
  listeners_.front()->accept_from(std::move(acceptor));
  asio::co_spawn(threads_.front(), Listener::accept(listeners_), asio::detached);
  return {};
}

std::size_t Server::connections() const {
  std::size_t count = 0;
  for (const auto& listener : listeners_) count += listener->connections();
  return count;
}

std::uint64_t Server::connections_cut() const {
  std::uint64_t count = 0;
  for (const auto& listener : listeners_) count += listener->unsent().cut();
  return count;
}

Task<> Server::stop(Deadline deadline) {
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    asio::dispatch(threads_[i], [listener = listeners_[i]] { listener->begin_stop(); });
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    co_await asio::co_spawn(threads_[i], listeners_[i]->drain(deadline), asio::use_awaitable);
  for (std::size_t i = 0; i < listeners_.size(); ++i)
    co_await asio::co_spawn(threads_[i], listeners_[i]->until_empty(deadline), asio::use_awaitable);
}

}  // namespace freehold::http
