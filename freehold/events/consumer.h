// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "freehold/base/task.h"
#include "freehold/database/row_locks.h"
#include "freehold/database/transaction.h"
#include "freehold/events/delivery.h"
#include "freehold/events/event.h"

namespace freehold {

// Where a consumer without a cursor begins: with the oldest event that is kept; with the latest
// state event of every subject, then what follows; or with what happens from now on. From `state`,
// an event that happened while the states were read may come a second time: the newer version wins.
enum class BeginAt { start, state, now };

// An event could not be applied: what a handler throws when it has nothing better.
class EventFailed : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// A named reader of one service's log and what it does with each event. A value, put together at
// start-up; a ConsumerLoop runs it.
//
//   freehold::Consumer("prices", "product").on(apply_price);
//
// The handler runs in the transaction that moves the cursor, so each event has its effect once, in
// the order of the log within its partition. What it appends carries the event's trace. It may run
// more than once before that transaction is committed, and it touches only the transaction. It
// cannot refuse: what it throws is a failure, and the event is set aside with its key. An event of
// a wanted family in a version that no handler takes is a failure as well; fields that the struct
// does not know are ignored.
class Consumer {
 public:
  using Handler = std::function<void(SqlTransaction&, const Delivery&)>;

  // `name` tells this service's consumers of one source apart; it is stored with the cursor.
  Consumer(std::string name, std::string source, BeginAt begin = BeginAt::start);

  template <Event E>
  Consumer& on(void (*handler)(SqlTransaction&, const E&, const Delivery&));
  template <Event E, class Callable>
    requires std::is_invocable_v<const Callable&, SqlTransaction&, const E&, const Delivery&>
  Consumer& on(Callable handler);

  // Every version of a family ("product.state"), or of all families of a service ("product.*"), not
  // decoded.
  Consumer& on_family(std::string family, Handler handler);

  // Runs in the transaction that sets an event aside, also one that queues behind its key.
  using AsideHandler = std::function<void(SqlTransaction&, const Delivery&, std::string_view why)>;
  Consumer& on_set_aside(AsideHandler handler);

  // Runs on the loop's executor, before the first event, when the owner before did not stop in an
  // orderly way.
  Consumer& after_unclean_stop(std::function<void()> handler);

  // For a consumer that can begin anew (a replica): awaited, on the loop's executor, when the
  // source's log is no longer the one that was read, in place of stopping. It leaves the cursors
  // (Books::begin_cursor, cursor_name()) where reading goes on; an error stops the consumer.
  using Rebuild = std::function<Task<Result<>>(std::string report)>;
  Consumer& rebuild_on_divergence(Rebuild rebuild);

  const std::string& name() const { return name_; }
  const std::string& source() const { return source_; }
  BeginAt begin() const { return begin_; }
  // "<name>@<source>": the name of cursors, lease and set-aside events in the books.
  std::string cursor_name() const { return name_ + "@" + source_; }
  // What the source is asked for: families without version, or "service.*".
  std::vector<std::string> families() const;

  // For the toolkit's own rooms: what is done with one type. Decoding runs on the thread that
  // reads, so that the lane only applies.
  struct Typed {
    std::function<Result<std::shared_ptr<const void>>(std::string_view data)> decode;
    std::function<void(SqlTransaction&, const void*, const Delivery&)> apply;
    // Which rows it may contend for (database/row_locks.h); empty: none.
    std::function<void(RowLocks&, const void*)> names_locks = {};
  };
  Consumer& on_type(std::string_view type, Typed typed);

  // For the loop: an event's data as its handler takes it.
  struct Decoded {
    std::shared_ptr<const void> event;  // null: the handler takes the JSON
    std::string failure;                // not empty: why it cannot be applied
  };
  Decoded decode(std::string_view type, std::string_view data) const;
  void apply(SqlTransaction& transaction, const Decoded& decoded, const Delivery& delivery) const;
  void name_locks(RowLocks& locks, const Decoded& decoded, std::string_view type) const;
  const AsideHandler& set_aside_handler() const { return on_set_aside_; }
  const std::function<void()>& unclean_stop_handler() const { return after_unclean_stop_; }
  const Rebuild& rebuild() const { return rebuild_; }

 private:
  const Handler* raw_handler(std::string_view type) const;

  std::string name_;
  std::string source_;
  BeginAt begin_;
  std::map<std::string, Typed, std::less<>> typed_;  // by type
  std::map<std::string, Handler, std::less<>> raw_;  // by family or "service.*"
  AsideHandler on_set_aside_;
  std::function<void()> after_unclean_stop_;
  Rebuild rebuild_;
};

namespace internal {

template <Described T>
Result<std::shared_ptr<const void>> decoded(std::string_view data) {
  FREEHOLD_TRY(T value, read_json<T>(data, Strictness::tolerant));
  return std::shared_ptr<const void>(std::make_shared<const T>(std::move(value)));
}

}  // namespace internal

template <Event E>
Consumer& Consumer::on(void (*handler)(SqlTransaction&, const E&, const Delivery&)) {
  return on<E, decltype(handler)>(handler);
}

template <Event E, class Callable>
  requires std::is_invocable_v<const Callable&, SqlTransaction&, const E&, const Delivery&>
Consumer& Consumer::on(Callable handler) {
  internal::check_event<E>();
  static_assert(
      std::is_void_v<
          std::invoke_result_t<const Callable&, SqlTransaction&, const E&, const Delivery&>>,
      "an event's handler returns nothing: what has happened cannot be refused");
  return on_type(E::type, {.decode = internal::decoded<E>,
                           .apply = [handler = std::move(handler)](SqlTransaction& transaction,
                                                                   const void* event,
                                                                   const Delivery& delivery) {
                             handler(transaction, *static_cast<const E*>(event), delivery);
                           }});
}

}  // namespace freehold
