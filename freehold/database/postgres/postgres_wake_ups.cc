// SPDX-License-Identifier: Apache-2.0
//
// The payload of a notification: "e" if events were appended, a line feed, then the subjects that
// changed, each with a line feed behind it; or "*" for any number of them.
#include "freehold/database/postgres/postgres_wake_ups.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"

namespace freehold {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds connect_patience{2'000};
constexpr int pause_after_a_loss_ms = 500;
constexpr std::size_t subjects_bytes_max = 7'500;  // a payload may have 7,999
constexpr std::string_view notify = "select pg_notify('freehold', $1) is null as told";

}  // namespace

PostgresWakeUps::PostgresWakeUps(PostgresConnection::Options options, Watches& watches)
    : options_(std::move(options)),
      watches_(watches),
      event_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  FREEHOLD_ASSERT(event_ >= 0, "no eventfd");
}

PostgresWakeUps::~PostgresWakeUps() {
  stop();
  ::close(event_);
}

void PostgresWakeUps::on_appended_elsewhere(std::function<void()> listener) {
  const std::lock_guard lock{mutex_};
  on_appended_elsewhere_ = std::move(listener);
}

void PostgresWakeUps::start() {
  thread_ = std::thread{[this] { run(); }};
}

void PostgresWakeUps::stop() {
  {
    const std::lock_guard lock{mutex_};
    stops_ = true;
  }
  wake_thread();
  if (thread_.joinable()) thread_.join();
}

void PostgresWakeUps::wake_thread() const {
  const std::uint64_t one = 1;
  const ssize_t written = ::write(event_, &one, sizeof one);
  (void)written;  // a full counter is readable too
}

void PostgresWakeUps::appended() {
  {
    const std::lock_guard lock{mutex_};
    if (std::exchange(news_.has_events, true)) return;
  }
  wake_thread();
}

void PostgresWakeUps::changed(const std::string& subject) {
  {
    const std::lock_guard lock{mutex_};
    if (news_.has_all_subjects) return;
    news_.subjects.append(subject).append("\n");
    news_.has_all_subjects = news_.subjects.size() > subjects_bytes_max;
  }
  wake_thread();
}

// A fault here delays others by a second at most, since every wait ends by itself.
void PostgresWakeUps::run() {
  for (bool goes_on = true; goes_on;) {
    try {
      serve();
      return;
    } catch (const DatabaseFault&) {
      pollfd woken{.fd = -1, .events = 0, .revents = 0};
      ::poll(&woken, 0, pause_after_a_loss_ms);
      const std::lock_guard lock{mutex_};
      goes_on = !stops_;
    }
  }
}

// Until the thread is to stop; throws when the connection is lost.
void PostgresWakeUps::serve() {
  PostgresConnection connection{options_, deadline_in(connect_patience)};
  connection.send_command("listen freehold");
  connection.wait();
  hear("e\n*");  // whatever happened while nobody listened
  for (;;) {
    News news;
    {
      const std::lock_guard lock{mutex_};
      if (stops_) return;
      news = std::exchange(news_, {});
    }
    if (news.has_events || !news.subjects.empty()) tell(connection, news);
    // Also what came with the answer to that: the socket would not tell of it again.
    while (const auto payload = connection.next_notification()) hear(*payload);
    connection.wait_for_notifications(event_);
    std::uint64_t count = 0;
    const ssize_t size = ::read(event_, &count, sizeof count);
    (void)size;  // nothing was there to be read
  }
}

void PostgresWakeUps::tell(PostgresConnection& connection, const News& news) const {
  std::string payload = news.has_events ? "e\n" : "\n";
  payload += news.has_all_subjects ? "*" : news.subjects;
  PostgresStatement& statement = connection.statement(notify);
  statement.text(1, payload);
  statement.execute();
}

void PostgresWakeUps::hear(std::string_view payload) {
  if (payload.starts_with('e')) {
    const std::lock_guard lock{mutex_};
    if (on_appended_elsewhere_) on_appended_elsewhere_();
  }
  payload.remove_prefix(std::min(payload.find('\n'), payload.size() - 1) + 1);
  if (payload == "*") return watches_.wake_all();
  while (!payload.empty()) {
    const std::size_t end = payload.find('\n');
    if (end == std::string_view::npos) return;
    watches_.wake(std::string{payload.substr(0, end)});
    payload.remove_prefix(end + 1);
  }
}

}  // namespace freehold
