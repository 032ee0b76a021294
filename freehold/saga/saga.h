// SPDX-License-Identifier: Apache-2.0
//
// A saga is a business process over several services, written as a coroutine that survives crashes:
//
//   using Checkout = SagaContext<product::ReserveStock, product::ReleaseStock, product::SellStock>;
//
//   Saga bring_to_its_end(Checkout saga, Placement order) {
//     auto reserved = co_await saga.request(product::ReserveStock{order.id, order.lines})
//                         .undo(product::ReleaseStock{order.id})
//                         .within(24h);
//     if (!reserved) co_return co_await saga.fail("reject", reject(order.id, reserved.error()));
//     auto confirmed = co_await saga.run("confirm", confirm(order.id));
//     if (!confirmed) co_return co_await saga.fail("cancel", cancel(order.id));
//     co_await saga.tell(product::SellStock{order.id});
//   }
//   constexpr SagaDefinition place_order{"place_order.v1", bring_to_its_end};
//   …
//   place_order.start(transaction, order.id, {order.id, lines});
//
// `co_await` means: durable step. The journal is the saga; the coroutine's frame lives only while
// it is resumed. Each reply and each timer runs the body again from its first line, over the
// outcomes in the journal, until it asks for a step that the journal does not hold; that step is
// performed and journalled in the transaction of the reply, and the frame is dropped. So:
//
// - The body is deterministic. It decides by its input and by what its steps returned, by nothing
//   else: no clock, no randomness, no global, no database, no file outside a step. The compiler
//   cannot see that; a replay that meets another step than the journal's stops the saga as
//   diverged.
// - It runs many times. What stands between the steps has no effect that lasts.
// - Context and input are taken by value. The input is described: it is stored with the saga.
#pragma once

#include <coroutine>
#include <exception>
#include <string_view>
#include <type_traits>
#include <utility>

#include "freehold/database/transaction.h"
#include "freehold/events/event.h"
#include "freehold/saga/internal/definition.h"
#include "freehold/saga/internal/saga_coroutine.h"
#include "freehold/saga/internal/steps.h"
#include "freehold/schema/described.h"

namespace freehold {

// What a saga's body awaits its steps from, and the list of all commands that it may send, undos
// included. A handle without state, passed by value. Every step must be awaited at once; none of
// the functions here does anything before it is.
template <Command... Commands>
class SagaContext {
 public:
  // Sends a command and waits for its reply. Returns Result<C::Reply>: the reply; the refusal; or,
  // with within(d), deadline_exceeded when none came in time (the command may still be done).
  //
  //   .undo(U)    a command of the same service that reverses this one. Armed in the transaction
  //               that sends the request; disarmed by a refusal only (a refusal whose kind is
  //               indeterminate is none), kept by a timeout. Sent by fail(). Cannot be refused: it
  //               must also do nothing when there is nothing to undo.
  //   .within(d)  the timeout, durable across restarts. Without it the saga waits for ever.
  template <Command C>
  internal::RequestStep<SagaContext, C> request(C command) const {
    check_declared<C>();
    return internal::RequestStep<SagaContext, C>{std::move(command)};
  }

  // Sends a command that nobody waits for; the log delivers it. It stands behind the pivot, the
  // last step that can refuse: from the first tell on nothing is undone, whatever was armed, and a
  // later fail() runs its body alone.
  template <Command C>
  internal::TellStep<C> tell(C command) const {
    check_declared<C>();
    return internal::TellStep<C>{std::move(command)};
  }

  // Runs `body(SqlTransaction&)` on the service's own database, in the transaction that journals
  // its outcome. The body returns nothing, Result<>, or Result<T> with a T that has JSON; the same
  // comes back here. A refusal undoes the body, is journalled and returned. An exception undoes
  // what this resume did; it is tried again later, then the saga is parked. `name` identifies the
  // step in the journal: it must outlive the program (a literal) and stays for ever.
  template <class Body>
  internal::RunStep<Body> run(std::string_view name, Body body) const {
    return internal::RunStep<Body>{name, std::move(body)};
  }

  // Ends the saga as failed: sends all armed undos, newest first, and runs `body`, in one
  // transaction. `co_return co_await saga.fail(…)`: nothing after it is run. The body returns
  // nothing or Result<>; it should not refuse: that is a failure, tried again, then parked.
  template <class Body>
  internal::FailStep<Body> fail(std::string_view name, Body body) const {
    return internal::FailStep<Body>{name, std::move(body)};
  }

  // Waits that long, durably: over restarts, counted from the moment when this step is reached.
  internal::SleepStep sleep(std::chrono::microseconds duration) const {
    return internal::SleepStep{duration};
  }

  // The time when this step was first reached; the same in every replay.
  internal::NowStep now() const { return {}; }

  // An id that is drawn once; the same in every replay.
  template <IdType I>
  internal::MakeStep<I> make() const {
    return {};
  }

  // Whether C is among the commands of this context.
  template <class C>
  static constexpr bool declares = (std::same_as<C, Commands> || ...);

  // Whom this saga sends commands to, by type: "product.reserve_stock.v1".
  static std::span<const std::string_view> command_types() {
    static constexpr std::array<std::string_view, sizeof...(Commands)> types{Commands::type...};
    return types;
  }

 private:
  template <class C>
  static consteval void check_declared() {
    static_assert(declares<C>,
                  "this saga does not declare that it sends this command: add it to its "
                  "SagaContext<...>");
  }
};

// A saga under its name, "place_order.v1": a constant of the service, given to Sagas by its parts
// list. The name has a version; sagas that are alive go on with the version that they were started
// with, so a program keeps every version of which one is alive.
template <class Context, Described Input>
class SagaDefinition {
 public:
  consteval SagaDefinition(std::string_view name, Saga (*body)(Context, Input))
      : name_(name), body_(body) {
    if (!internal::is_saga_name(name)) throw "a saga's name is like \"place_order.v1\"";
  }

  // Starts the saga "<name>/<key>" and runs it to its first request, in this transaction: if that
  // is undone there was no saga. To start one id twice is to start it once, also after it has
  // ended, until it is forgotten; but the body is run to its first step again. No personal data in
  // the input. An exception of the body fails the transaction, also of a repeat.
  void start(SqlTransaction& transaction, std::string_view key, Input input) const {
    internal::start_saga(transaction, name_, key, to_json(input),
                         [&] { return body_(Context{}, std::move(input)); });
  }
  template <IdType I>
  void start(SqlTransaction& transaction, const I& key, Input input) const {
    start(transaction, std::string_view{key.text()}, std::move(input));
  }

  std::string_view name() const { return name_; }

  // This saga for those that know it by name only.
  internal::SagaProgram program() const {
    return {name_, Context::command_types(),
            [body = body_](std::string_view input) -> Result<Saga> {
              FREEHOLD_TRY(auto read, read_json<Input>(input, Strictness::tolerant));
              return body(Context{}, std::move(read));
            }};
  }

 private:
  std::string_view name_;
  Saga (*body_)(Context, Input);
};

}  // namespace freehold
