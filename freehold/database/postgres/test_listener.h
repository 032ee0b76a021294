// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace freehold {

// For tests: a socket, in a directory of its own, that libpq takes for a server's.
class TestListener {
 public:
  TestListener();
  TestListener(const TestListener&) = delete;
  TestListener& operator=(const TestListener&) = delete;
  ~TestListener();

  const std::filesystem::path& directory() const { return directory_; }
  int socket() const { return socket_; }

 private:
  std::filesystem::path directory_;
  int socket_ = -1;
};

int connect_to(const std::filesystem::path& path);  // -1: nobody listens
std::string received(int socket);                   // empty at the end
void send_all(int socket, std::string_view bytes);

}  // namespace freehold
