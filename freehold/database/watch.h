// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "freehold/base/clock.h"
#include "freehold/base/task.h"

namespace freehold {

namespace internal {
struct WatchTable;
struct WatchPlace;
}  // namespace internal

// Tells those who wait for a state of one subject (an aggregate's id) that it may have changed. A
// transaction says Transaction::changed(subject); after its commit everybody who watches that
// subject is woken. A wake-up is a hint: who wakes without news reads the
// state again.
//
//   auto watch = watches.begin(order.text());     // from here on no change is missed
//   while (!is_final(read the state)) co_await watch.next(deadline);
//
// A change may come with news, a value of whatever type both sides agree upon: what is so since
// its commit. Who is told enough by it need not read. A later change without news takes them back,
// and news of other instances never come.
//
// Callable from any thread; nothing of it survives a crash, and nothing needs to.
class Watches {
 public:
  Watches();

  class Watch {
   public:
    ~Watch();
    Watch(Watch&&) noexcept;
    Watch& operator=(Watch&&) = delete;

    // Returns at the first change since begin() or since the last return, at the latest at
    // `until`: the news of the newest change, or nothing. Cancellable like a timer: then it throws
    // operation_aborted.
    Task<std::any> next(Deadline until);

   private:
    friend class Watches;
    explicit Watch(std::shared_ptr<internal::WatchPlace> place);
    std::shared_ptr<internal::WatchPlace> place_;
  };

  Watch begin(std::string subject);
  void changed(const std::string& subject, const std::any& news = {});

  // For a driver: changed() also tells `teller`, so that other instances can be told, and what they
  // tell wakes those who wait here. Set before the first change.
  void tell_also(std::function<void(const std::string&)> teller) { teller_ = std::move(teller); }
  void wake(const std::string& subject, const std::any& news = {});
  void wake_all();

 private:
  std::function<void(const std::string&)> teller_;
  std::shared_ptr<internal::WatchTable> table_;
};

}  // namespace freehold
