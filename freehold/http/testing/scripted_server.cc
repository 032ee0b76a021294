// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/testing/scripted_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <utility>

#include "freehold/base/assert.h"

namespace freehold::http {

ScriptedServer::ScriptedServer(std::vector<std::string> script)
    : script_(std::move(script)), listener_(::socket(AF_INET, SOCK_STREAM, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  FREEHOLD_ASSERT(::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                      ::listen(listener_, 16) == 0,
                  "the test can listen");
  ::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &length);
  port_ = ntohs(address.sin_port);
  thread_ = std::jthread{[this] { serve(); }};
}

ScriptedServer::~ScriptedServer() {
  ::shutdown(listener_, SHUT_RDWR);
  thread_.join();
  ::close(listener_);
}

// One connection for each line of the script.
void ScriptedServer::serve() {
  for (const std::string& bytes : script_) {
    const int socket = ::accept(listener_, nullptr, nullptr);
    if (socket < 0) return;
    if (read_request(socket)) {
      ++requests_;
      ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    }
    ::close(socket);
  }
}

bool ScriptedServer::read_request(int socket) {
  std::string arrived;
  for (;;) {
    const std::size_t head = arrived.find("\r\n\r\n");
    if (head != std::string::npos) {
      std::size_t length = 0;
      const std::size_t at = arrived.find("Content-Length: ");
      if (at < head) std::from_chars(arrived.data() + at + 16, arrived.data() + head, length);
      if (arrived.size() >= head + 4 + length) return true;
    }
    std::array<char, 4096> bytes;
    const ssize_t count = ::recv(socket, bytes.data(), bytes.size(), 0);
    if (count <= 0) return false;
    arrived.append(bytes.data(), static_cast<std::size_t>(count));
  }
}

}  // namespace freehold::http
