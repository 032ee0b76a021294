// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/test_listener.h"

#include <stdlib.h>  // mkdtemp
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>

#include "freehold/base/assert.h"

namespace freehold {
namespace {

sockaddr_un address_of(const std::filesystem::path& path) {
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  path.string().copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

}  // namespace

TestListener::TestListener() {
  std::string name = (std::filesystem::temp_directory_path() / "freehold-proxy-XXXXXX").string();
  FREEHOLD_ASSERT(::mkdtemp(name.data()), "no temporary directory");
  directory_ = name;
  socket_ = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(directory_ / ".s.PGSQL.5432");
  const int bound = ::bind(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address);
  FREEHOLD_ASSERT(bound == 0 && ::listen(socket_, 16) == 0, "no socket to listen on");
}

TestListener::~TestListener() {
  ::close(socket_);
  std::filesystem::remove_all(directory_);
}

int connect_to(const std::filesystem::path& path) {
  const int socket = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_un address = address_of(path);
  if (::connect(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0)
    return socket;
  ::close(socket);
  return -1;
}

std::string received(int socket) {
  std::array<char, 65536> buffer{};
  const ssize_t size = ::recv(socket, buffer.data(), buffer.size(), 0);
  return size > 0 ? std::string{buffer.data(), static_cast<std::size_t>(size)} : std::string{};
}

void send_all(int socket, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t size = ::send(socket, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size <= 0) return;
    bytes.remove_prefix(static_cast<std::size_t>(size));
  }
}

}  // namespace freehold
