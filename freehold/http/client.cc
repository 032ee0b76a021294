// SPDX-License-Identifier: Apache-2.0
//
// The real network: TCP connections kept alive, in a bounded pool for each address. A body of known
// length is read straight into the answer.
#include <array>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <charconv>
#include <deque>
#include <map>
#include <mutex>
#include <vector>

#include "freehold/base/errors.h"
#include "freehold/http/internal/message_parser.h"
#include "freehold/http/internal/wire.h"
#include "freehold/http/transport.h"

namespace freehold::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;
using Timer = asio::basic_waitable_timer<SteadyClock>;

constexpr auto as_tuple = asio::as_tuple(asio::use_awaitable);
constexpr std::size_t input_bytes = 16 * 1024;

using ResponseParser = internal::MessageParser<Response>;

// One connection, with the timer of the exchange that uses it. Used by one exchange at a time; the
// mutex keeps an alarm that fires late from touching the next one's.
struct Link {
  explicit Link(const asio::any_io_executor& executor) : socket(executor), timer(executor) {}

  void arm(const asio::any_io_executor& thread, Deadline deadline, std::shared_ptr<Link> self);
  void disarm();
  bool is_alive();  // nobody has closed it, and nothing unasked for has arrived
  std::string_view arrived() const { return std::string_view{input}.substr(begin, end - begin); }

  tcp::socket socket;
  Timer timer;
  std::string input;  // bytes [begin, end) have arrived and are not parsed yet
  std::size_t begin = 0;
  std::size_t end = 0;
  Deadline used_last{};
  bool reusable = false;
  std::mutex mutex;
  std::uint64_t turn = 0;
  std::atomic<bool> late = false;
};

void Link::arm(const asio::any_io_executor& thread, Deadline deadline, std::shared_ptr<Link> self) {
  const std::scoped_lock lock{mutex};
  late = false;
  timer.expires_at(deadline);
  timer.async_wait(asio::bind_executor(
      thread, [self = std::move(self), expected = ++turn](const error_code& failure) {
        const std::scoped_lock held{self->mutex};
        if (failure || self->turn != expected) return;
        self->late = true;
        error_code ignored;
        self->socket.close(ignored);
      }));
}

void Link::disarm() {
  const std::scoped_lock lock{mutex};
  ++turn;
  timer.cancel();
}

bool Link::is_alive() {
  char byte = 0;
  error_code failure;
  socket.receive(asio::buffer(&byte, 1), tcp::socket::message_peek, failure);
  return failure == asio::error::would_block;
}

// The connections to one address: how many are in use, which are idle, who waits for one.
struct Pool {
  struct Waiter {
    explicit Waiter(const asio::any_io_executor& executor) : timer(executor) {}
    Timer timer;
    bool granted = false;
  };
  std::mutex mutex;
  std::size_t in_use = 0;
  std::vector<std::shared_ptr<Link>> idle;  // the one used last is at the back
  std::deque<std::shared_ptr<Waiter>> waiters;
};

// The right to one connection of a pool; given to the next waiter, or back, at its end.
class Place {
 public:
  explicit Place(std::shared_ptr<Pool> pool) : pool_(std::move(pool)) {}
  Place(Place&&) = default;
  Place& operator=(Place&&) = delete;
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  ~Place() {
    if (!pool_) return;
    const std::scoped_lock lock{pool_->mutex};
    if (pool_->waiters.empty()) {
      --pool_->in_use;
      return;
    }
    const auto waiter = pool_->waiters.front();
    pool_->waiters.pop_front();
    waiter->granted = true;
    asio::post(waiter->timer.get_executor(), [waiter] { waiter->timer.cancel(); });
  }

  std::shared_ptr<Link> take_idle(Deadline not_before) {
    const std::scoped_lock lock{pool_->mutex};
    while (!pool_->idle.empty()) {
      const auto link = std::move(pool_->idle.back());
      pool_->idle.pop_back();
      if (link->used_last >= not_before && link->is_alive()) return link;
    }
    return nullptr;
  }

  void give_back(std::shared_ptr<Link> link) {
    link->used_last = SteadyClock::now();
    const std::scoped_lock lock{pool_->mutex};
    pool_->idle.push_back(std::move(link));
  }

 private:
  std::shared_ptr<Pool> pool_;
};

// "127.0.0.1:8081", "[::1]:8081" or "localhost:8081": names are configuration's business, so that
// no call waits for a resolver that knows no deadline.
Result<tcp::endpoint> endpoint_of(std::string_view text) {
  const Error refused{errors::peer_unavailable, std::string{text} + " is no address and port"};
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return refused;
  std::string host{text.substr(0, colon)};
  if (host == "localhost") host = "127.0.0.1";
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  const std::string_view digits = text.substr(colon + 1);
  std::uint16_t port = 0;
  if (std::from_chars(digits.data(), digits.data() + digits.size(), port).ec != std::errc{})
    return refused;
  error_code failure;
  const auto address = asio::ip::make_address(host, failure);
  if (failure) return refused;
  return tcp::endpoint{address, port};
}

class NetworkTransport final : public Transport {
 public:
  NetworkTransport(asio::any_io_executor executor, NetworkOptions options)
      : executor_(std::move(executor)), options_(options) {}

  Task<Result<Response>> exchange(std::string address, Request request, Deadline deadline) override;

 private:
  std::shared_ptr<Pool> pool_of(const std::string& address);
  Task<Result<Place>> enter(std::shared_ptr<Pool> pool, Deadline deadline) const;
  Task<Result<>> connect(std::shared_ptr<Link> link, std::string address) const;
  static Task<Result<>> send(std::shared_ptr<Link> link, std::string head, std::string_view body);
  Task<Result<Response>> receive(std::shared_ptr<Link> link, Method method) const;
  static Task<bool> read_some(std::shared_ptr<Link> link);
  Task<bool> read_body(std::shared_ptr<Link> link, ResponseParser* parser,
                       Response* response) const;

  asio::any_io_executor executor_;
  const NetworkOptions options_;
  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<Pool>> pools_;
};

std::shared_ptr<Pool> NetworkTransport::pool_of(const std::string& address) {
  const std::scoped_lock lock{mutex_};
  auto& pool = pools_[address];
  if (!pool) pool = std::make_shared<Pool>();
  return pool;
}

Task<Result<Response>> NetworkTransport::exchange(std::string address, Request request,
                                                  Deadline deadline) {
  const auto thread = co_await asio::this_coro::executor;
  FREEHOLD_CO_TRY(Place place, co_await enter(pool_of(address), deadline));
  auto link = place.take_idle(SteadyClock::now() - options_.idle_max);
  const bool fresh = link == nullptr;
  if (fresh) link = std::make_shared<Link>(executor_);
  link->arm(thread, deadline, link);
  auto exchanged =
      co_await [](const NetworkTransport* self, std::shared_ptr<Link> link, bool fresh,
                  std::string address, const Request* request) -> Task<Result<Response>> {
    if (fresh) FREEHOLD_CO_TRY(co_await self->connect(link, address));
    std::string head;
    internal::write_head(head, *request, address);
    FREEHOLD_CO_TRY(co_await send(link, std::move(head), request->body));
    co_return co_await self->receive(link, request->method);
  }(this, link, fresh, address, &request);
  link->disarm();
  if (exchanged && link->reusable && !link->late) place.give_back(std::move(link));
  co_return exchanged;
}

// Nothing of the peer: no descriptor, no memory or no local port is left here.
bool is_own_shortage(const error_code& failure) {
  return failure == boost::system::errc::too_many_files_open ||
         failure == boost::system::errc::too_many_files_open_in_system ||
         failure == boost::system::errc::no_buffer_space ||
         failure == boost::system::errc::not_enough_memory ||
         failure == boost::system::errc::address_not_available;
}

// Waits for its turn when all of the pool's connections are in use.
Task<Result<Place>> NetworkTransport::enter(std::shared_ptr<Pool> pool, Deadline deadline) const {
  const auto thread = co_await asio::this_coro::executor;
  std::shared_ptr<Pool::Waiter> waiter;
  {
    const std::scoped_lock lock{pool->mutex};
    if (pool->in_use < options_.connections_max) {
      ++pool->in_use;
      co_return Place{pool};
    }
    waiter = std::make_shared<Pool::Waiter>(thread);
    waiter->timer.expires_at(deadline);
    pool->waiters.push_back(waiter);
  }
  (void)co_await waiter->timer.async_wait(as_tuple);
  bool granted = false;
  {
    const std::scoped_lock lock{pool->mutex};
    granted = waiter->granted;
    if (!granted) std::erase(pool->waiters, waiter);
  }
  if (granted) co_return Place{pool};
  co_return Error{errors::no_connection_to_spare, "none was free before the deadline"};
}

Task<Result<>> NetworkTransport::connect(std::shared_ptr<Link> link, std::string address) const {
  FREEHOLD_CO_TRY(const tcp::endpoint endpoint, endpoint_of(address));
  link->input.resize(input_bytes);
  const auto [failure] = co_await link->socket.async_connect(endpoint, as_tuple);
  if (is_own_shortage(failure)) co_return Error{errors::no_connection_to_spare, failure.message()};
  if (failure)
    co_return Error{errors::peer_unavailable,
                    address + ": " + (link->late ? "no connection in time" : failure.message())};
  error_code ignored;
  link->socket.set_option(tcp::no_delay{true}, ignored);
  link->socket.non_blocking(true, ignored);
  co_return Result<>{};
}

// A request that did not leave whole is never acted upon: the peer waits for the rest of it.
Task<Result<>> NetworkTransport::send(std::shared_ptr<Link> link, std::string head,
                                      std::string_view body) {
  const std::array<asio::const_buffer, 2> whole{asio::buffer(head), asio::buffer(body)};
  const auto [failure, count] = co_await asio::async_write(link->socket, whole, as_tuple);
  if (count == head.size() + body.size()) co_return Result<>{};
  co_return Error{errors::peer_unavailable,
                  link->late ? "the request could not be sent in time" : failure.message()};
}

Task<bool> NetworkTransport::read_some(std::shared_ptr<Link> link) {
  if (link->begin > 0) {
    std::copy(link->input.begin() + static_cast<std::ptrdiff_t>(link->begin),
              link->input.begin() + static_cast<std::ptrdiff_t>(link->end), link->input.begin());
    link->end -= link->begin;
    link->begin = 0;
  }
  if (link->end == link->input.size()) co_return false;  // a head larger than any we send
  const auto [failure, count] = co_await link->socket.async_read_some(
      asio::buffer(link->input.data() + link->end, link->input.size() - link->end), as_tuple);
  link->end += count;
  co_return !failure;
}

Task<Result<Response>> NetworkTransport::receive(std::shared_ptr<Link> link, Method method) const {
  const auto broken = [&](std::string_view why) {
    if (link->late) return Error{errors::deadline_exceeded};
    return Error{errors::connection_lost, std::string{why}};
  };
  link->reusable = false;
  for (;;) {
    Response response;
    ResponseParser parser{response, {input_bytes, options_.answer_bytes_max}};
    if (method == Method::head) parser.expect_no_body();
    bool has_begun = false;
    while (!parser.is_header_done()) {
      if (link->begin == link->end && !co_await read_some(link))
        co_return broken(has_begun ? "half an answer" : "no answer");
      has_begun = true;
      error_code failure;
      const std::size_t taken = parser.put(link->arrived(), failure);
      if (failure) co_return broken(failure.message());
      link->begin += taken;
      if (taken == 0 && !co_await read_some(link)) co_return broken("half an answer");
    }
    if (response.status < 200) continue;  // 100 Continue, 103 Early Hints: the answer follows
    if (!parser.is_done() && !co_await read_body(link, &parser, &response))
      co_return broken("half an answer");
    link->reusable = parser.keep_alive() && link->begin == link->end;
    co_return response;
  }
}

Task<bool> NetworkTransport::read_body(std::shared_ptr<Link> link, ResponseParser* parser,
                                       Response* response) const {
  if (const auto length = parser->content_length()) {
    const std::size_t here = std::min<std::size_t>(*length, link->end - link->begin);
    response->body.resize(*length);
    std::copy_n(link->input.data() + link->begin, here, response->body.data());
    link->begin += here;
    const auto [failure, count] = co_await asio::async_read(
        link->socket, asio::buffer(response->body.data() + here, *length - here), as_tuple);
    co_return here + count == *length;
  }
  parser->take_body();
  while (!parser->is_done()) {
    error_code failure;
    if (link->begin < link->end) link->begin += parser->put(link->arrived(), failure);
    if (failure) co_return false;
    if (parser->is_done()) break;
    if (co_await read_some(link)) continue;
    if (link->late) co_return false;
    parser->put_eof(failure);
    co_return !failure;
  }
  co_return true;
}

}  // namespace

std::unique_ptr<Transport> network_transport(asio::any_io_executor executor,
                                             NetworkOptions options) {
  return std::make_unique<NetworkTransport>(std::move(executor), options);
}

}  // namespace freehold::http
