// SPDX-License-Identifier: Apache-2.0
// The steps that a SagaContext makes; included by saga.h only.
#pragma once

#include <chrono>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/hash.h"
#include "freehold/database/internal/body.h"
#include "freehold/events/event.h"
#include "freehold/saga/internal/saga_step.h"
#include "freehold/schema/json.h"

namespace freehold::internal {

template <class T>
T journalled(std::string_view json) {
  Result<T> read = read_json<T>(json, Strictness::tolerant);
  if (!read) fail_unreadable(read.error());
  return *std::move(read);
}

struct NoUndo {};

// co_await → Result<C::Reply>.
template <class Context, Command C, class Undo = NoUndo>
class [[nodiscard]] RequestStep final : public SagaStep {
 public:
  using Reply = typename C::Reply;

  explicit RequestStep(C command, Undo undo = {}, std::chrono::microseconds timeout = {})
      : command_(std::move(command)), undo_(std::move(undo)), timeout_(timeout) {}

  template <Command U>
  RequestStep<Context, C, U> undo(U command) && {
    static_assert(std::same_as<Undo, NoUndo>, "a request has one undo");
    static_assert(service_of(U::type) == service_of(C::type),
                  "a request is undone by the service that did it");
    static_assert(Context::template declares<U>,
                  "this saga does not declare that it sends this command: add it to its "
                  "SagaContext<...>");
    return RequestStep<Context, C, U>{std::move(command_), std::move(command), timeout_};
  }

  RequestStep within(std::chrono::microseconds timeout) && {
    timeout_ = timeout;
    return std::move(*this);
  }

  Result<Reply> await_resume() { return *std::move(outcome_); }

  StepName name() const override { return {"request", C::type}; }
  bool only_waits() const override { return true; }

  std::uint64_t request_hash() const override {
    const std::uint64_t hash = fnv1a(to_json(command_));
    if constexpr (std::same_as<Undo, NoUndo>)
      return hash;
    else
      return fnv1a(to_json(undo_), hash);
  }

  void replay(StepState state, std::string_view outcome, ArmedUndos& undos) override {
    bool may_be_done = true;
    if (state == StepState::refused) {
      outcome_.emplace(error_from_json(outcome));
      may_be_done = outcome_->error().kind() == Kind::indeterminate;
    } else {
      outcome_.emplace(journalled<Reply>(outcome));
    }
    if constexpr (!std::same_as<Undo, NoUndo>) {
      if (may_be_done) undos.arm([undo = std::move(undo_)](SqlTransaction& to) { send(to, undo); });
    }
  }

  Performed perform(const StepPlace& place, ArmedUndos&) override {
    send(place.transaction, command_, request_id_of(place.saga, place.step));
    FREEHOLD_CRASH_POINT("saga.after_send");
    const bool timed = timeout_ != std::chrono::microseconds{};
    return {StepState::waiting, "null", timed ? place.now + timeout_ : Time{}};
  }

 private:
  C command_;
  [[no_unique_address]] Undo undo_;
  std::chrono::microseconds timeout_;  // zero: none
  std::optional<Result<Reply>> outcome_;
};

// co_await → nothing.
template <Command C>
class [[nodiscard]] TellStep final : public SagaStep {
 public:
  explicit TellStep(C command) : command_(std::move(command)) {}

  void await_resume() const {}

  StepName name() const override { return {"tell", C::type}; }
  std::uint64_t request_hash() const override { return fnv1a(to_json(command_)); }
  void replay(StepState, std::string_view, ArmedUndos& undos) override { undos.drop_all(); }
  Performed perform(const StepPlace& place, ArmedUndos& undos) override {
    send(place.transaction, command_);
    undos.drop_all();
    return {};
  }

 private:
  C command_;
};

// co_await → what the body returns, as a Result.
template <class Body>
class [[nodiscard]] RunStep final : public SagaStep {
 public:
  using Outcome = BodyResult<Body>;
  using Value = typename Outcome::value_type;

  RunStep(std::string_view name, Body body) : name_(name), body_(std::move(body)) {}

  Outcome await_resume() { return *std::move(outcome_); }

  StepName name() const override { return {"run", name_}; }

  void replay(StepState state, std::string_view outcome, ArmedUndos&) override {
    if (state == StepState::refused)
      outcome_.emplace(error_from_json(outcome));
    else if constexpr (std::is_void_v<Value>)
      outcome_.emplace();
    else
      outcome_.emplace(journalled<Value>(outcome));
  }

  Performed perform(const StepPlace& place, ArmedUndos&) override {
    outcome_.emplace(place.transaction.attempt(
        [&]() -> Outcome { return called<Outcome>(body_, place.transaction); }));
    if (!*outcome_) return {StepState::refused, error_to_json(outcome_->error())};
    if constexpr (std::is_void_v<Value>)
      return {};
    else
      return {StepState::done, to_json(outcome_->value())};
  }

 private:
  std::string_view name_;
  Body body_;
  std::optional<Outcome> outcome_;
};

// co_await → never: the saga has ended.
template <class Body>
class [[nodiscard]] FailStep final : public SagaStep {
 public:
  using Outcome = BodyResult<Body>;
  static_assert(std::is_void_v<typename Outcome::value_type>,
                "the body of fail() returns nothing or Result<>: nobody could read its value");

  FailStep(std::string_view name, Body body) : name_(name), body_(std::move(body)) {}

  void await_resume() const {}

  StepName name() const override { return {"fail", name_}; }
  bool ends_saga() const override { return true; }
  void replay(StepState, std::string_view, ArmedUndos&) override {}
  Performed perform(const StepPlace& place, ArmedUndos& undos) override {
    undos.send_all(place.transaction);
    const Outcome outcome = called<Outcome>(body_, place.transaction);
    if (!outcome) throw Refused{outcome.error()};
    return {};
  }

 private:
  std::string_view name_;
  Body body_;
};

// co_await → nothing.
class [[nodiscard]] SleepStep final : public SagaStep {
 public:
  explicit SleepStep(std::chrono::microseconds duration) : duration_(duration) {}

  void await_resume() const {}

  StepName name() const override { return {"sleep", {}}; }
  bool only_waits() const override { return true; }
  std::uint64_t request_hash() const override {
    return static_cast<std::uint64_t>(duration_.count());
  }
  void replay(StepState, std::string_view, ArmedUndos&) override {}
  Performed perform(const StepPlace& place, ArmedUndos&) override {
    return {StepState::waiting, "null", place.now + duration_};
  }

 private:
  std::chrono::microseconds duration_;
};

// co_await → Time.
class [[nodiscard]] NowStep final : public SagaStep {
 public:
  Time await_resume() const { return time_; }

  StepName name() const override { return {"now", {}}; }
  void replay(StepState, std::string_view outcome, ArmedUndos&) override {
    time_ = journalled<Time>(outcome);
  }
  Performed perform(const StepPlace& place, ArmedUndos&) override {
    time_ = place.now;
    return {StepState::done, to_json(time_)};
  }

 private:
  Time time_{};
};

// co_await → I.
template <IdType I>
class [[nodiscard]] MakeStep final : public SagaStep {
 public:
  I await_resume() const { return id_; }

  StepName name() const override { return {"make", {}}; }
  void replay(StepState, std::string_view outcome, ArmedUndos&) override {
    id_ = journalled<I>(outcome);
  }
  Performed perform(const StepPlace&, ArmedUndos&) override {
    id_ = I::make();
    return {StepState::done, to_json(id_)};
  }

 private:
  I id_;
};

}  // namespace freehold::internal
