// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/watch.h"

#include <algorithm>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <mutex>
#include <unordered_map>
#include <utility>
#include <vector>

namespace freehold {

namespace {
using Timer = boost::asio::basic_waitable_timer<SteadyClock>;
}

namespace internal {

struct WatchPlace {
  std::shared_ptr<WatchTable> table;
  std::string subject;
  bool changed = false;          // guarded by table->mutex, like what follows
  std::any news;                 // of the newest change
  std::shared_ptr<Timer> timer;  // of the one who waits; its executor is the waiter's
};

// Those of one thread who are to be woken there. It goes with the posting that wakes them.
struct WokenTogether {
  boost::asio::any_io_executor thread;
  std::vector<std::shared_ptr<Timer>> timers;
};

struct WatchTable : std::enable_shared_from_this<WatchTable> {
  std::mutex mutex;  // guards all below
  std::unordered_multimap<std::string, WatchPlace*> places;
  std::vector<std::weak_ptr<WokenTogether>> posted;

  // A timer belongs to its waiter's thread, so it is cancelled there. A commit changes many
  // subjects: one posting wakes all who wait for them on a thread. Under the mutex.
  void wake(WatchPlace& place, const std::any& news) {
    place.changed = true;
    place.news = news;
    if (!place.timer) return;
    const auto thread = place.timer->get_executor();
    for (const auto& each : posted) {
      const auto together = each.lock();
      if (together && together->thread == thread) return together->timers.push_back(place.timer);
    }
    const auto together = std::make_shared<WokenTogether>(thread, std::vector{place.timer});
    std::erase_if(posted, [](const auto& each) { return each.expired(); });
    posted.push_back(together);
    boost::asio::post(thread, [self = shared_from_this(), together] { self->cancel(*together); });
  }

  void cancel(WokenTogether& together) {
    std::vector<std::shared_ptr<Timer>> timers;
    {
      const std::scoped_lock lock{mutex};
      timers.swap(together.timers);
      std::erase_if(posted, [&](const auto& each) { return each.lock().get() == &together; });
    }
    for (const auto& timer : timers) timer->cancel();
  }
};

}  // namespace internal

Watches::Watches() : table_(std::make_shared<internal::WatchTable>()) {}

Watches::Watch Watches::begin(std::string subject) {
  auto place = std::make_shared<internal::WatchPlace>();
  place->table = table_;
  place->subject = std::move(subject);
  const std::scoped_lock lock{table_->mutex};
  table_->places.emplace(place->subject, place.get());
  return Watch{std::move(place)};
}

void Watches::changed(const std::string& subject, const std::any& news) {
  wake(subject, news);
  if (teller_) teller_(subject);
}

void Watches::wake(const std::string& subject, const std::any& news) {
  const std::scoped_lock lock{table_->mutex};
  const auto [first, last] = table_->places.equal_range(subject);
  for (auto at = first; at != last; ++at) table_->wake(*at->second, news);
}

void Watches::wake_all() {
  const std::scoped_lock lock{table_->mutex};
  for (const auto& [subject, place] : table_->places) table_->wake(*place, {});
}

Watches::Watch::Watch(std::shared_ptr<internal::WatchPlace> place) : place_(std::move(place)) {}
Watches::Watch::Watch(Watch&&) noexcept = default;

Watches::Watch::~Watch() {
  if (!place_) return;
  const std::scoped_lock lock{place_->table->mutex};
  const auto [first, last] = place_->table->places.equal_range(place_->subject);
  for (auto at = first; at != last; ++at)
    if (at->second == place_.get()) {
      place_->table->places.erase(at);
      return;
    }
}

Task<std::any> Watches::Watch::next(Deadline until) {
  const auto place = place_;
  auto timer = std::make_shared<Timer>(co_await boost::asio::this_coro::executor, until);
  {
    const std::scoped_lock lock{place->table->mutex};
    if (std::exchange(place->changed, false)) co_return std::exchange(place->news, {});
    place->timer = timer;
  }
  boost::system::error_code error;
  co_await timer->async_wait(boost::asio::redirect_error(boost::asio::use_awaitable, error));
  bool woken = false;
  std::any news;
  {
    const std::scoped_lock lock{place->table->mutex};
    place->timer.reset();
    woken = std::exchange(place->changed, false);
    news.swap(place->news);
  }
  if (error == boost::asio::error::operation_aborted && !woken)
    throw boost::system::system_error{error};
  co_return news;
}

}  // namespace freehold
