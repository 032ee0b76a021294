// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: a server that reads whole requests and answers each with the next bytes
// of its script, whatever they are. One connection an answer.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace freehold::http {

class ScriptedServer {
 public:
  explicit ScriptedServer(std::vector<std::string> script);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  std::string address() const { return "127.0.0.1:" + std::to_string(port_); }
  int requests() const { return requests_; }  // that arrived whole

 private:
  void serve();
  bool read_request(int socket);

  std::vector<std::string> script_;
  int listener_;
  std::uint16_t port_ = 0;
  std::atomic<int> requests_ = 0;
  std::jthread thread_;
};

}  // namespace freehold::http
