// SPDX-License-Identifier: Apache-2.0
//
// Calls that may be repeated without a second effect. A handler that takes an IdempotentCall makes
// the header Idempotency-Key required (1 … 255 visible ASCII characters), and can answer only with
// what its transaction has committed:
//
//   Task<Result<Committed<Order>>> place(PlaceOrder request, IdempotentCall call) {
//     co_return co_await call.write(database_, [order](SqlTransaction& t) -> Result<Reply<Order>> {
//       insert(t, order);
//       return Reply<Order>{.status = 202, .body = order, .location = …};
//     });
//   }
//
// The answer is stored by that transaction, under caller, route and key, for 24 hours. A repeat
// gets it again without the handler (`Idempotency-Replayed: true`); one that comes while the first
// still runs waits for it. Another payload under the same key: 422 idempotency_key_reused. Nothing
// is stored where nothing was committed: refusals and failures are decided anew. A stored answer
// holds no personal data.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <type_traits>
#include <utility>

#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/http/call.h"
#include "freehold/http/internal/answer.h"
#include "freehold/http/remembered_answers.h"
#include "freehold/http/reply.h"
#include "freehold/schema/json.h"

namespace freehold::http {

class IdempotentCall;

// An answer whose effect is committed, and itself stored with it. Only IdempotentCall::write makes
// one.
template <class T>
class Committed {
 public:
  // What was committed.
  const Reply<T>& reply() const { return reply_; }

  // Answers this request with something newer, for one that waited (`Prefer: wait`): what is stored
  // for repeats stays as it is.
  Committed answered_now(Reply<T> newer) && { return Committed{std::move(newer)}; }

 private:
  friend class IdempotentCall;
  explicit Committed(Reply<T> reply) : reply_(std::move(reply)) {}

  // A friend, so that a route finds it by its type, whichever header was included first.
  friend void write_answer(Response& response, Committed& committed) {
    internal::write_answer(response, committed.reply_);
  }

  Reply<T> reply_;
};

namespace internal {

template <class T>
struct AnswerShape<Committed<T>> : AnswerShape<T> {
  static constexpr int status = 202;
};

// What a body returns: Reply<T> of Reply<T> or Result<Reply<T>>.
template <class T>
struct ReplyBody {};
template <class T>
struct ReplyBody<Reply<T>> {
  using type = T;  // NOLINT(readability-identifier-naming): as in <type_traits>
};
template <class Body>
using ReplyBodyOf = typename ReplyBody<
    typename AsResult<std::invoke_result_t<const Body&, SqlTransaction&>>::type::value_type>::type;

}  // namespace internal

class IdempotentCall : public Call {
 public:
  static constexpr bool needs_idempotency_key = true;

  // Refused: idempotency_key_required; malformed.
  static Result<IdempotentCall> make(internal::Exchange& exchange);

  // Runs body(SqlTransaction&) -> Result<Reply<T>> as Database::write does, and stores its answer
  // in the same transaction. Fails as that does; then nothing was stored and the key is free again,
  // except after commit_unknown. Fails with answered_before when another instance has answered this
  // request meanwhile; whatever the handler makes of it, the caller gets that answer. To be called
  // once.
  template <class Body>
  Task<Result<Committed<internal::ReplyBodyOf<Body>>>> write(Database& database, Body body) const {
    return write_and_remember(&database, exchange().claim, std::move(body), trace_parent());
  }

  // How long the caller prefers to wait for a final state after the commit; see Call::prefer_wait.
  std::chrono::seconds wait() const { return prefer_wait(); }

 private:
  using Call::Call;

  template <class Body>
  static Task<Result<Committed<internal::ReplyBodyOf<Body>>>> write_and_remember(
      Database* database, std::shared_ptr<KeyClaim> claim, Body body, std::string trace_parent) {
    using T = internal::ReplyBodyOf<Body>;
    auto reply = co_await database->write(
        [claim, body = std::move(body)](SqlTransaction& transaction) -> Result<Reply<T>> {
          FREEHOLD_TRY(claim->decide());
          Result<Reply<T>> made = body(transaction);
          if (!made) return made;
          std::string json;
          if constexpr (!std::is_void_v<T>) write_json(json, made->body);
          claim->remember(transaction, made->status, std::move(json), made->location);
          return made;
        },
        std::move(trace_parent), {}, claim->hold());
    if (!reply) {
      claim->failed(reply.error());
      co_return reply.error();
    }
    co_return Committed<T>{*std::move(reply)};
  }
};

}  // namespace freehold::http
