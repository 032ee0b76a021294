// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/transaction_pooler.h"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>

namespace freehold {
namespace {

// ReadyForQuery, outside of any transaction.
const std::string& rest() {
  static const std::string message{"Z\0\0\0\5I", 6};
  return message;
}

}  // namespace

TransactionPooler::TransactionPooler(std::filesystem::path server)
    : server_(std::move(server)), thread_([this] { accept_all(); }) {}

TransactionPooler::~TransactionPooler() {
  ::shutdown(listener_.socket(), SHUT_RDWR);
  thread_.join();
  for (std::thread& client : clients_) client.join();
}

void TransactionPooler::accept_all() {
  for (;;) {
    const int client = ::accept4(listener_.socket(), nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    clients_.emplace_back([this, client] { serve(client); });
  }
}

void TransactionPooler::serve(int client) const {
  const std::array<int, 2> servers{connect_to(server_), connect_to(server_)};
  const std::string greeting = received(client);
  for (const int server : servers) send_all(server, greeting);
  std::string spare;
  while (!spare.ends_with(rest())) spare += received(servers[1]);

  std::size_t used = 0;
  for (;;) {
    std::array<pollfd, 2> ends{{{client, POLLIN, 0}, {servers[used], POLLIN, 0}}};
    ::poll(ends.data(), ends.size(), -1);
    const bool from_client = ends[0].revents != 0;
    const std::string message = received(from_client ? client : servers[used]);
    if (message.empty()) break;
    send_all(from_client ? servers[used] : client, message);
    if (!from_client && message.ends_with(rest())) used = 1 - used;
  }
  for (const int socket : {client, servers[0], servers[1]}) ::close(socket);
}

}  // namespace freehold
