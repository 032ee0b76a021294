// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/cutting_proxy.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <utility>
#include <vector>

#include "freehold/base/assert.h"

namespace freehold {
namespace {

constexpr int late_timeout_ms = 10'000;

// Behind the Bind of COMMIT: Execute, of the portal without a name, and Sync.
constexpr std::string_view execution{"E\0\0\0\x09\0\0\0\0\0S\0\0\0\x04", 15};

}  // namespace

CuttingProxy::CuttingProxy(std::filesystem::path server) : server_(std::move(server)) {
  std::array<int, 2> ends{};
  FREEHOLD_ASSERT(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0, "no pipe");
  wake_read_ = ends[0];
  wake_write_ = ends[1];
  thread_ = std::thread{[this] { run(); }};
}

CuttingProxy::~CuttingProxy() {
  stops_ = true;
  wake();
  thread_.join();
  for (const int socket : {wake_read_, wake_write_, late_server_})
    if (socket >= 0) ::close(socket);
}

void CuttingProxy::wake() const {
  const ssize_t written = ::write(wake_write_, "", 1);
  (void)written;  // a full pipe wakes too
}

void CuttingProxy::arm(Cut cut, int part) {
  part_ = part;
  cut_ = cut;
}

std::string CuttingProxy::deliver_late() {
  const std::lock_guard lock{mutex_};
  if (late_server_ < 0) return {};
  send_all(late_server_, late_message_);
  std::string answer;
  pollfd ready{.fd = late_server_, .events = POLLIN, .revents = 0};
  // ReadyForQuery, outside of a transaction or in one that failed, is the end of an answer.
  const std::string end{"Z\0\0\0\5", 5};
  while (answer.find(end) == std::string::npos && ::poll(&ready, 1, late_timeout_ms) == 1) {
    const std::string more = received(late_server_);
    if (more.empty()) break;
    answer += more;
  }
  ::close(std::exchange(late_server_, -1));
  return answer;
}

void CuttingProxy::go_on() {
  goes_on_ = true;
  wake();
}

void CuttingProxy::lead_to(std::filesystem::path server) {
  const std::lock_guard lock{mutex_};
  server_ = std::move(server);
}

void CuttingProxy::stop(Pair& pair, std::string_view message, std::size_t arriving) {
  send_all(pair.server, message.substr(0, arriving));
  pair.held = message.substr(arriving);
  pair.is_stopping = false;
  pair.is_stopped = true;
}

void CuttingProxy::accept_one() {
  Pair pair{.client = ::accept4(listener_.socket(), nullptr, nullptr, SOCK_CLOEXEC)};
  const auto server = [this] {
    const std::lock_guard lock{mutex_};
    return server_;
  };
  pair.server = refuses_ ? -1 : connect_to(server());
  if (pair.server >= 0) {
    pairs_.push_back(pair);
  } else {
    ::close(pair.client);
  }
}

// False: the pair is cut.
bool CuttingProxy::forward_to_server(Pair& pair) {
  const std::string message = received(pair.client);
  if (message.empty()) return false;
  if (pair.is_stopped) {
    pair.held += message;
    return true;
  }
  const bool has_event = message.find("note.written") != std::string::npos;
  Cut cut = Cut::message;
  if (has_event && cut_.compare_exchange_strong(cut, Cut::none)) {
    send_all(pair.server, std::string_view{message}.substr(
                              0, message.size() * static_cast<std::size_t>(part_) / 1000));
    return false;
  }
  cut = Cut::delay;
  if (has_event && cut_.compare_exchange_strong(cut, Cut::none)) {
    const std::lock_guard lock{mutex_};
    late_message_ = message;
    late_server_ = std::exchange(pair.server, -1);
    return false;
  }
  cut = Cut::stop_inside;
  if (has_event && cut_.compare_exchange_strong(cut, Cut::none))
    return stop(pair, message, message.size() - 1), true;
  cut = Cut::stop_before_commit;
  if (has_event && cut_.compare_exchange_strong(cut, Cut::none)) pair.is_stopping = true;
  if (pair.is_stopping && message.ends_with(execution))
    return stop(pair, message, message.size() - execution.size()), true;
  send_all(pair.server, message);
  return true;
}

bool CuttingProxy::forward_to_client(Pair& pair) {
  const std::string message = received(pair.server);
  if (message.empty()) return false;
  Cut cut = Cut::answer;
  const bool is_commit = message.find(std::string{"COMMIT\0", 7}) != std::string::npos;
  if (is_commit && cut_.compare_exchange_strong(cut, Cut::none)) return false;
  send_all(pair.client, message);
  return true;
}

void CuttingProxy::run() {
  const auto close_pair = [](const Pair& pair) {
    if (pair.client >= 0) ::close(pair.client);
    if (pair.server >= 0) ::close(pair.server);
  };
  while (!stops_) {
    std::vector<pollfd> sockets{{listener_.socket(), POLLIN, 0}, {wake_read_, POLLIN, 0}};
    for (const Pair& pair : pairs_) {
      sockets.push_back({pair.client, POLLIN, 0});
      sockets.push_back({pair.server, POLLIN, 0});
    }
    ::poll(sockets.data(), sockets.size(), -1);
    std::array<char, 64> ignored{};
    while (::read(wake_read_, ignored.data(), ignored.size()) > 0) {
    }
    std::size_t at = 2;
    for (auto pair = pairs_.begin(); pair != pairs_.end(); at += 2) {
      const bool stays = (sockets[at].revents == 0 || forward_to_server(*pair)) &&
                         (sockets[at + 1].revents == 0 || forward_to_client(*pair));
      if (!stays) close_pair(*pair);
      pair = stays ? std::next(pair) : pairs_.erase(pair);
    }
    if (goes_on_.exchange(false))
      for (Pair& pair : pairs_)
        if (std::exchange(pair.is_stopped, false))
          send_all(pair.server, std::exchange(pair.held, {}));
    if (sockets[0].revents != 0) accept_one();
  }
  for (const Pair& pair : pairs_) close_pair(pair);
}

}  // namespace freehold
