// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <condition_variable>
#include <filesystem>
#include <list>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "freehold/database/postgres/test_listener.h"

namespace freehold {

// For tests: stands between clients and a server, on a socket in a directory of its own, and cuts
// connections at the moments that matter. Messages of a client arrive here as it flushed them, so a
// batch with its COMMIT is one.
class CuttingProxy {
 public:
  enum class Cut {
    none,
    message,  // the next message with an event arrives in part, then both sides are cut
    answer,   // the next COMMIT is carried out; the client is cut before it hears of it
    delay,    // at the next message with an event the client is cut; it waits for deliver_late()
    // As if the client was stopped: of the next message with an event, or of what follows it, only
    // so much arrives until go_on().
    stop_inside,         // all but its last byte
    stop_before_commit,  // all but the execution of COMMIT
  };

  explicit CuttingProxy(std::filesystem::path server);
  CuttingProxy(const CuttingProxy&) = delete;
  CuttingProxy& operator=(const CuttingProxy&) = delete;
  ~CuttingProxy();

  const std::filesystem::path& directory() const { return listener_.directory(); }

  // Once, at the next occasion. `part`: how many thousandths of a message arrive.
  void arm(Cut cut, int part = 0);
  bool is_armed() const { return cut_ != Cut::none; }
  // Sends the message that waits, if one does, and returns what the server answered to it.
  std::string deliver_late();
  // Sends what is held back, and all that comes.
  void go_on();
  // While it refuses, every connection is cut as soon as it is made.
  void refuse(bool refuses) { refuses_ = refuses; }
  // Connections that are made from now on lead there.
  void lead_to(std::filesystem::path server);

 private:
  struct Pair {
    int client = -1;
    int server = -1;
    bool is_stopping = false;  // before the next COMMIT
    bool is_stopped = false;
    std::string held;
  };

  void run();
  void accept_one();
  bool forward_to_server(Pair& pair);
  void stop(Pair& pair, std::string_view message, std::size_t arriving);
  bool forward_to_client(Pair& pair);
  void wake() const;

  const TestListener listener_;
  int wake_read_ = -1;
  int wake_write_ = -1;
  std::list<Pair> pairs_;  // the thread's
  std::atomic<Cut> cut_ = Cut::none;
  std::atomic<int> part_ = 0;
  std::atomic<bool> refuses_ = false;
  std::atomic<bool> goes_on_ = false;
  std::atomic<bool> stops_ = false;

  std::mutex mutex_;
  std::filesystem::path server_;
  int late_server_ = -1;
  std::string late_message_;
  std::thread thread_;
};

}  // namespace freehold
