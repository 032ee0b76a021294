// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "freehold/database/postgres/postgres_connection.h"
#include "freehold/database/watch.h"

namespace freehold {

// Tells the other instances of a service what was committed here, and those who wait here what was
// committed there: hints, nothing of which a commit waits for. A thread with a connection of its
// own sends them, for NOTIFY inside a transaction lines up the commits of the whole server; one at
// a time, what happens meanwhile goes into the next.
class PostgresWakeUps {
 public:
  PostgresWakeUps(PostgresConnection::Options options, Watches& watches);
  PostgresWakeUps(const PostgresWakeUps&) = delete;
  PostgresWakeUps& operator=(const PostgresWakeUps&) = delete;
  ~PostgresWakeUps();  // stop()

  void on_appended_elsewhere(std::function<void()> listener);  // before start()
  void start();
  void stop();

  // Any thread: this instance has committed events, has changed a subject.
  void appended();
  void changed(const std::string& subject);

 private:
  struct News {
    bool has_events = false;
    bool has_all_subjects = false;  // too many to name
    std::string subjects;           // each ends with a line feed
  };

  void run();
  void serve();
  void tell(PostgresConnection& connection, const News& news) const;
  void hear(std::string_view payload);
  void wake_thread() const;

  const PostgresConnection::Options options_;
  Watches& watches_;
  std::function<void()> on_appended_elsewhere_;
  const int event_;  // readable when there is something for the thread to do

  std::mutex mutex_;
  News news_;
  bool stops_ = false;
  std::thread thread_;
};

}  // namespace freehold
