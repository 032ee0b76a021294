// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_link.h"

#include <algorithm>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds interval_min{20};
constexpr milliseconds interval_max{1000};
constexpr milliseconds connect_patience{2000};

}  // namespace

PostgresConnection& PostgresLink::first_connection() {
  if (!try_to_connect()) throw DatabaseFault(errors::database_unavailable, why_);
  return *connection_;
}

PostgresConnection& PostgresLink::connection() {
  if (connection_ && connection_->is_alive()) return *connection_;
  connection_.reset();
  if (!away_since_) {
    away_since_ = next_try_ = SteadyClock::now();
    interval_ = interval_min;
  }
  const auto patient_until = *away_since_ + away_max_;
  for (;;) {
    if (SteadyClock::now() >= next_try_ && try_to_connect()) return *connection_;
    std::unique_lock lock{mutex_};
    if (gives_up_ || SteadyClock::now() >= patient_until)
      throw DatabaseFault(errors::database_unavailable, why_);
    const auto wait = std::min(next_try_, patient_until) - SteadyClock::now();
    given_up_.wait_for(lock, std::max(wait, SteadyClock::duration{}), [this] { return gives_up_; });
  }
}

bool PostgresLink::try_to_connect() {
  try {
    connection_ = std::make_unique<PostgresConnection>(options_, deadline_in(connect_patience));
    if (options_.use == PostgresConnection::Use::lane) connection_->check_server();
    ++statistics_.connections;
    if (!why_.empty()) record(Severity::info, "the database is back", {{"name", options_.name}});
    away_since_.reset();
    why_.clear();
    return true;
  } catch (const DatabaseFault& fault) {
    connection_.reset();
    if (why_.empty()) record(Severity::warning, "the database is away", {{"why", fault.what()}});
    why_ = fault.what();
    next_try_ = SteadyClock::now() + interval_;
    interval_ = std::min(interval_ * 2, interval_max);
    return false;
  }
}

void PostgresLink::give_up() {
  {
    const std::lock_guard lock{mutex_};
    gives_up_ = true;
  }
  given_up_.notify_all();
}

}  // namespace freehold
