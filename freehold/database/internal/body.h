// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <coroutine>
#include <type_traits>

#include "freehold/database/transaction.h"

namespace freehold::internal {

template <class Returned, class Body>
concept MadeByCoroutine =
    requires { typename std::coroutine_traits<Returned, Body&, SqlTransaction&>::promise_type; };

// What Database::write and read return for a body, and the sentences that the compiler says to one
// that they cannot run. They stand here, and not as constraints, because the return type is what
// the compiler looks at first.
template <class Body>
struct BodyOutcome {
  static constexpr bool is_const = std::is_invocable_v<const Body&, SqlTransaction&>;
  static_assert(is_const,
                "a transaction body takes a SqlTransaction& and is const: it may run more than "
                "once, so it must not be mutable");

  template <bool IsConst>
  struct Called {
    using Type = std::invoke_result_t<const Body&, SqlTransaction&>;
  };
  template <>
  struct Called<false> {
    using Type = void;
  };
  using Value = typename Called<is_const>::Type;

  static constexpr bool is_coroutine = MadeByCoroutine<Value, Body>;
  static_assert(!is_coroutine,
                "a transaction body is no coroutine: it cannot wait for anybody while its "
                "transaction is open");
  static_assert(!std::is_reference_v<Value>,
                "a transaction body returns a value: what it refers to may be gone");

  static constexpr bool can_run = is_const && !is_coroutine && !std::is_reference_v<Value>;
  using Type = typename AsResult<std::conditional_t<can_run, Value, void>>::type;
};

template <class Body>
using BodyResult = typename BodyOutcome<Body>::Type;

// Calls what returns T, Result<T> or nothing, and returns it as a Result.
template <class Outcome, class Callable, class... Arguments>
Outcome called(const Callable& callable, Arguments&... arguments) {
  if constexpr (std::is_void_v<std::invoke_result_t<const Callable&, Arguments&...>>) {
    callable(arguments...);
    return {};
  } else {
    return callable(arguments...);
  }
}

}  // namespace freehold::internal
