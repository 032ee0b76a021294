// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "freehold/base/clock.h"
#include "freehold/database/postgres/postgres_connection.h"
#include "freehold/database/postgres/postgres_database.h"

namespace freehold {

// The one way to a server that comes and goes: a connection, and another one when it is lost. Used
// by one thread; give_up() by any.
class PostgresLink {
 public:
  PostgresLink(PostgresConnection::Options options, std::chrono::milliseconds away_max,
               PostgresStatistics& statistics)
      : options_(std::move(options)), away_max_(away_max), statistics_(statistics) {}

  // The connection, alive as far as is known. Makes one when there is none, at first at once, then
  // at growing intervals; throws database_unavailable, saying why, when the server has been away
  // for `away_max` and is not back.
  PostgresConnection& connection();
  // The same at a start: one try.
  PostgresConnection& first_connection();
  // The one that there is, whatever became of it; null before the first.
  PostgresConnection* last() const { return connection_.get(); }
  bool is_lost() const { return !connection_ || connection_->is_lost(); }

  // From now on nobody waits for the server to come back.
  void give_up();

 private:
  bool try_to_connect();

  const PostgresConnection::Options options_;
  const std::chrono::milliseconds away_max_;
  PostgresStatistics& statistics_;
  std::unique_ptr<PostgresConnection> connection_;
  std::optional<SteadyClock::time_point> away_since_;
  SteadyClock::time_point next_try_{};
  std::chrono::milliseconds interval_{0};
  std::string why_;

  std::mutex mutex_;
  std::condition_variable given_up_;
  bool gives_up_ = false;
};

}  // namespace freehold
