// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <coroutine>
#include <exception>
#include <type_traits>
#include <utility>

namespace freehold {

namespace internal {
class SagaStep;
}  // namespace internal

// What a saga's body returns: its suspended frame, run by internal::SagaRun only and freed with
// this object. Not for anything else: a saga is started through its SagaDefinition.
class [[nodiscard]] Saga {
 public:
  struct promise_type {
    internal::SagaStep* awaited = nullptr;  // the step that the body waits in
    std::exception_ptr failure;             // what left the body

    Saga get_return_object() {
      return Saga{std::coroutine_handle<promise_type>::from_promise(*this)};
    }
    std::suspend_always initial_suspend() const noexcept { return {}; }
    std::suspend_always final_suspend() const noexcept { return {}; }
    void return_void() const noexcept {}
    void unhandled_exception() { failure = std::current_exception(); }

    template <class Step>
    Step&& await_transform(Step&& step) const noexcept {
      static_assert(std::derived_from<std::remove_cvref_t<Step>, internal::SagaStep>,
                    "a saga awaits the steps of its SagaContext and nothing else: any other wait "
                    "would not survive a crash");
      return static_cast<Step&&>(step);
    }
  };

  Saga(Saga&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  Saga& operator=(Saga&&) = delete;
  ~Saga() {
    if (frame_) frame_.destroy();
  }

  // Runs the body to its next step, or to its end (nullptr). What leaves the body leaves here.
  internal::SagaStep* next_step() const {
    frame_.promise().awaited = nullptr;
    frame_.resume();
    if (frame_.promise().failure) std::rethrow_exception(frame_.promise().failure);
    return frame_.promise().awaited;
  }

 private:
  explicit Saga(std::coroutine_handle<promise_type> frame) : frame_(frame) {}

  std::coroutine_handle<promise_type> frame_;
};

}  // namespace freehold
