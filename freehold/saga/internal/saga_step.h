// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/error.h"
#include "freehold/database/transaction.h"
#include "freehold/events/error_json.h"
#include "freehold/saga/internal/saga_coroutine.h"

namespace freehold::internal {

// What a step is called in the journal: "request product.reserve_stock.v1", "run confirm", "now".
struct StepName {
  std::string_view kind;
  std::string_view what;

  std::string text() const;
  bool is(std::string_view journalled) const;
};

// The undos that a body has armed so far. Rebuilt by every replay, so they need no rows of their
// own: a request that the journal shows as done arms its undo again.
class ArmedUndos {
 public:
  using Send = std::move_only_function<void(SqlTransaction&)>;

  void arm(Send send) { armed_.push_back(std::move(send)); }
  void drop_all() { armed_.clear(); }
  void send_all(SqlTransaction& transaction);  // newest first

 private:
  std::vector<Send> armed_;
};

// Where a step is performed for the first time.
struct StepPlace {
  SqlTransaction& transaction;
  std::string_view saga;  // its id
  int step;               // counted from 1
  Time now;
};

// What performing a step came to, as the journal keeps it. `waiting`: the saga goes on when the
// step has its outcome, or at `due` at the latest (unless it is the epoch).
struct Performed {
  StepState state = StepState::done;
  std::string outcome{"null"};
  Time due{};
};

// One step that a body awaits. It lives in the body's frame, which is suspended while its runner
// gives it an outcome: the journal's, or the one of performing it. Nothing that a step does, and
// no exception of it, passes through the body.
class SagaStep {
 public:
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<Saga::promise_type> saga) noexcept {
    saga.promise().awaited = this;
  }

  virtual StepName name() const = 0;
  // Of what the step asks for: a program that asks for something else now is reported by check().
  virtual std::uint64_t request_hash() const { return 0; }
  // Takes its outcome (never `waiting`) from the journal. Throws std::runtime_error when that
  // cannot be read.
  virtual void replay(StepState state, std::string_view outcome, ArmedUndos& undos) = 0;
  virtual Performed perform(const StepPlace& place, ArmedUndos& undos) = 0;
  virtual bool ends_saga() const { return false; }
  // Whether the saga waits when it has been performed, and until then has only appended.
  virtual bool only_waits() const { return false; }

 protected:
  SagaStep() = default;
  SagaStep(SagaStep&&) = default;
  ~SagaStep() = default;
};

// "<saga id>/<step>": the request id of a command, by which its reply finds the step.
std::string request_id_of(std::string_view saga, int step);

[[noreturn]] void fail_unreadable(const Error& error);

}  // namespace freehold::internal
