// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "freehold/database/transaction.h"
#include "freehold/events/consumer.h"
#include "freehold/events/delivery.h"
#include "freehold/events/event.h"
#include "freehold/schema/json_schema.h"

namespace freehold {

// What this service does when others ask it: one handler a command.
//
//   commands.on(reserve_stock);   // Result<StockReserved>(SqlTransaction&, const ReserveStock&,
//                                 //                       const Delivery&)
//
// Commands lie in the logs of those who send them; from(caller) is the consumer that reads one. A
// handler's answer is appended to this service's log as `freehold.reply.v1`, in the transaction
// that moves the cursor. A refusal is an answer as well: what the handler did is undone, the
// refusal is appended, the cursor moves. What it throws is a failure: the command is set aside with
// its key, and its sender is told so (`freehold.command_set_aside.v1`). A command without a request
// id has nobody who waits: it gets no reply, and its refusal is a failure. So is a command that
// this service does not know.
//
// A handler of a popular row's commands names the rows that it may contend for with other instances
// (database/row_locks.h), from the command alone:
//
//   commands.on<ReserveStock>(reserve_stock, [](RowLocks& locks, const ReserveStock& command) {
//     for (const Line& line : command.lines) locks.add(stock_rows, line.product_id);
//   });
//
// A handler must have no second effect when the same intent comes again (a restored log sends it
// anew): it recognises the intent by a key of the business, not by the event.
class Commands {
 public:
  explicit Commands(std::string service) : service_(std::move(service)) {}

  template <Command C>
  Commands& on(Result<typename C::Reply> (*handler)(SqlTransaction&, const C&, const Delivery&),
               void (*names_locks)(RowLocks&, const C&) = nullptr);
  template <Command C, class Callable>
    requires std::is_invocable_v<const Callable&, SqlTransaction&, const C&, const Delivery&>
  Commands& on(Callable handler, void (*names_locks)(RowLocks&, const C&) = nullptr);

  // The consumer "commands" of that caller's log, with the handlers known so far.
  Consumer from(std::string caller) const;

  bool empty() const { return handlers_.empty(); }

  // What this service accepts, by type: JSON Schemas of the command and of its reply.
  struct Accepted {
    std::string type;
    std::string schema;
    std::string reply;
  };
  std::vector<Accepted> accepted() const;

 private:
  struct Handler {
    std::string (*schema)();
    std::string (*reply_schema)();
    std::function<Result<std::shared_ptr<const void>>(std::string_view data)> decode;
    // Returns the reply as JSON, or the refusal.
    std::function<Result<std::string>(SqlTransaction&, const void*, const Delivery&)> answer;
    std::function<void(RowLocks&, const void*)> names_locks;
  };
  void add(std::string_view type, Handler handler);

  std::string service_;
  std::map<std::string, Handler, std::less<>> handlers_;  // by type
};

namespace internal {

template <class C>
std::function<void(RowLocks&, const void*)> erased(void (*names_locks)(RowLocks&, const C&)) {
  if (!names_locks) return {};
  return [names_locks](RowLocks& locks, const void* command) {
    names_locks(locks, *static_cast<const C*>(command));
  };
}

}  // namespace internal

template <Command C>
Commands& Commands::on(Result<typename C::Reply> (*handler)(SqlTransaction&, const C&,
                                                            const Delivery&),
                       void (*names_locks)(RowLocks&, const C&)) {
  return on<C, decltype(handler)>(handler, names_locks);
}

template <Command C, class Callable>
  requires std::is_invocable_v<const Callable&, SqlTransaction&, const C&, const Delivery&>
Commands& Commands::on(Callable handler, void (*names_locks)(RowLocks&, const C&)) {
  internal::check_event<C>();
  static_assert(
      std::is_same_v<
          std::invoke_result_t<const Callable&, SqlTransaction&, const C&, const Delivery&>,
          Result<typename C::Reply>>,
      "a command's handler returns Result<C::Reply>");
  add(C::type,
      {.schema = json_schema<C>,
       .reply_schema = json_schema<typename C::Reply>,
       .decode = internal::decoded<C>,
       .answer = [handler = std::move(handler)](SqlTransaction& transaction, const void* command,
                                                const Delivery& delivery) -> Result<std::string> {
         FREEHOLD_TRY(auto reply, handler(transaction, *static_cast<const C*>(command), delivery));
         return to_json(reply);
       },
       .names_locks = internal::erased(names_locks)});
  return *this;
}

}  // namespace freehold
