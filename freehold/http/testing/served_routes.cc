// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/testing/served_routes.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>

#include "freehold/base/errors.h"

namespace freehold::http {

Task<Result<Caller>> TrustingAuthenticator::user(std::string bearer) {
  const std::size_t colon = bearer.find(':');
  if (colon == std::string::npos) co_return errors::unauthenticated;
  Caller caller{.subject = bearer.substr(0, colon), .roles = {}};
  std::string_view roles = std::string_view{bearer}.substr(colon + 1);
  if (const std::size_t second = roles.find(':'); second != std::string_view::npos) {
    int good_for_ms = 0;
    std::from_chars(roles.data() + second + 1, roles.data() + roles.size(), good_for_ms);
    caller.until = now() + std::chrono::milliseconds{good_for_ms};
    roles = roles.substr(0, second);
  }
  while (!roles.empty()) {
    const std::size_t end = roles.find(',');
    caller.roles.emplace_back(roles.substr(0, end));
    roles = end == std::string_view::npos ? std::string_view{} : roles.substr(end + 1);
  }
  co_return caller;
}

Result<std::string> TrustingAuthenticator::service(std::string_view token) {
  if (token.empty() || token == "forged") return errors::unauthenticated;
  return std::string{token};
}

bool comes_true(const std::function<bool()>& condition) {
  const auto end = SteadyClock::now() + std::chrono::seconds{10};
  while (!condition()) {
    if (SteadyClock::now() > end) return false;
    std::this_thread::yield();
  }
  return true;
}

ServedRoutes::ServedRoutes(ServerOptions options, int threads) {
  std::vector<boost::asio::any_io_executor> executors;
  for (int i = 0; i < threads; ++i) {
    contexts_.push_back(std::make_unique<boost::asio::io_context>(1));
    work_.emplace_back(boost::asio::make_work_guard(*contexts_.back()));
    executors.emplace_back(contexts_.back()->get_executor());
  }
  server_ = std::make_unique<Server>(routes_, std::move(options), std::move(executors));
}

ServedRoutes::~ServedRoutes() {
  if (started_) stop(std::chrono::milliseconds{500});
  work_.clear();
  for (const auto& context : contexts_) context->stop();
  threads_.clear();
  server_.reset();
  contexts_.clear();
}

void ServedRoutes::start() {
  const auto outcome = server_->start();
  FREEHOLD_ASSERT(outcome.has_value(), "the test's server starts");
  started_ = true;
  for (const auto& context : contexts_) threads_.emplace_back([&context] { context->run(); });
}

void ServedRoutes::stop(std::chrono::milliseconds within) {
  started_ = false;
  boost::asio::co_spawn(executor(), server_->stop(deadline_in(within)), boost::asio::use_future)
      .get();
}

std::string RawAnswer::header(std::string_view name) const {
  std::string_view rest = head;
  while (!rest.empty()) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end + 2);
    const std::size_t colon = line.find(": ");
    if (colon != std::string_view::npos && equal_without_case(line.substr(0, colon), name))
      return std::string{line.substr(colon + 2)};
  }
  return {};
}

RawClient::RawClient(std::uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM, 0)) {
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const int failed = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address);
  FREEHOLD_ASSERT(failed == 0, "the test's server can be reached");
}

RawClient::~RawClient() {
  close();
}

void RawClient::close() {
  if (socket_ >= 0) ::close(socket_);
  socket_ = -1;
}

bool RawClient::send(std::string_view bytes) const {
  while (!bytes.empty()) {
    const ssize_t count = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool RawClient::read_more() {
  std::array<char, 16 * 1024> bytes;
  const ssize_t count = ::recv(socket_, bytes.data(), bytes.size(), 0);
  if (count <= 0) return false;
  arrived_.append(bytes.data(), static_cast<std::size_t>(count));
  return true;
}

std::string RawClient::read_until(std::string_view text) {
  while (arrived_.find(text) == std::string::npos && read_more()) {
  }
  const std::size_t at = arrived_.find(text);
  const std::size_t end = at == std::string::npos ? arrived_.size() : at + text.size();
  std::string taken = arrived_.substr(0, end);
  arrived_.erase(0, end);
  return taken;
}

RawAnswer RawClient::answer(bool has_body) {
  RawAnswer answer;
  answer.head = read_until("\r\n\r\n");
  if (!answer.head.ends_with("\r\n\r\n") || !answer.head.starts_with("HTTP/1.1 ")) return answer;
  std::size_t length = 0;
  const std::string text = answer.header("Content-Length");
  std::from_chars(text.data(), text.data() + text.size(), length);
  if (!has_body) length = 0;
  while (arrived_.size() < length)
    if (!read_more()) return answer;
  answer.body = arrived_.substr(0, length);
  arrived_.erase(0, length);
  std::from_chars(answer.head.data() + 9, answer.head.data() + 12, answer.status);
  return answer;
}

RawAnswer RawClient::ask(std::string_view bytes) {
  send(bytes);
  return answer(!bytes.starts_with("HEAD"));
}

bool RawClient::is_closed() {
  while (read_more()) {
  }
  char byte = 0;
  const ssize_t count = ::recv(socket_, &byte, 1, MSG_DONTWAIT);
  return count == 0 || (count < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
}

std::string request(std::string_view method, std::string_view target, std::string_view headers,
                    std::string_view body) {
  std::string text;
  text.append(method).append(" ").append(target).append(" HTTP/1.1\r\nHost: test\r\n");
  text.append(headers);
  if (!body.empty()) text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
  return text.append("\r\n").append(body);
}

}  // namespace freehold::http
