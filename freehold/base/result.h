// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <concepts>
#include <expected>
#include <string>
#include <type_traits>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/base/error.h"

namespace freehold {

// A value, or the Error that says why there is none: how every expected outcome is returned. It
// cannot be dropped silently. `return errors::out_of_stock;` and `return value;` both convert.
// To read the value of a Result that holds an error is a bug and aborts.
template <class T = void>
class [[nodiscard]] Result {
 public:
  using value_type = T;

  template <class U = T>
    requires(std::constructible_from<T, U> && std::convertible_to<U, T> &&
             !std::same_as<std::remove_cvref_t<U>, Result> &&
             !std::same_as<std::remove_cvref_t<U>, Error> &&
             !std::same_as<std::remove_cvref_t<U>, ErrorCode>)
  Result(U&& value) : outcome_(std::in_place, std::forward<U>(value)) {}  // NOLINT
  Result(Error error) : outcome_(std::unexpect, std::move(error)) {}      // NOLINT
  Result(const ErrorCode& code) : outcome_(std::unexpect, code) {}        // NOLINT

  explicit operator bool() const { return outcome_.has_value(); }
  bool has_value() const { return outcome_.has_value(); }

  T& value() & { return checked(), *outcome_; }
  const T& value() const& { return checked(), *outcome_; }
  T&& value() && { return checked(), std::move(*outcome_); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    FREEHOLD_ASSERT(!outcome_.has_value(), "error() of a Result that holds a value");
    return outcome_.error();
  }

  friend bool operator==(const Result&, const Result&) = default;

 private:
  void checked() const { FREEHOLD_ASSERT(outcome_.has_value(), outcome_.error().text().c_str()); }

  std::expected<T, Error> outcome_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  using value_type = void;

  Result() = default;
  Result(Error error) : outcome_(std::unexpect, std::move(error)) {}  // NOLINT
  Result(const ErrorCode& code) : outcome_(std::unexpect, code) {}    // NOLINT

  explicit operator bool() const { return outcome_.has_value(); }
  bool has_value() const { return outcome_.has_value(); }

  const Error& error() const& {
    FREEHOLD_ASSERT(!outcome_.has_value(), "error() of a Result that holds a value");
    return outcome_.error();
  }

  friend bool operator==(const Result&, const Result&) = default;

 private:
  std::expected<void, Error> outcome_;
};

template <class>
inline constexpr bool is_result = false;
template <class T>
inline constexpr bool is_result<Result<T>> = true;

}  // namespace freehold

// NOLINTBEGIN(bugprone-macro-parentheses): what they are given is a keyword, a declaration, a name
#define FREEHOLD_INTERNAL_PASTE(a, b) a##b
#define FREEHOLD_INTERNAL_JOIN(a, b) FREEHOLD_INTERNAL_PASTE(a, b)
#define FREEHOLD_INTERNAL_PICK(_1, _2, name, ...) name
#define FREEHOLD_INTERNAL_TRY(leave, outcome, declaration, expression) \
  auto outcome = (expression);                                         \
  if (!outcome) leave outcome.error();                                 \
  declaration = *std::move(outcome)
#define FREEHOLD_INTERNAL_CHECK(leave, outcome, expression) \
  if (auto outcome = (expression); !outcome) leave outcome.error()
// NOLINTEND(bugprone-macro-parentheses)

// FREEHOLD_TRY(auto x, expression): declares x with the value of a Result, or returns its error.
// FREEHOLD_TRY(expression): goes on, or returns the error. FREEHOLD_CO_TRY: in a coroutine.
#define FREEHOLD_INTERNAL_TRY_2(declaration, expression) \
  FREEHOLD_INTERNAL_TRY(return, FREEHOLD_INTERNAL_JOIN(outcome_, __LINE__), declaration, expression)
#define FREEHOLD_INTERNAL_TRY_1(expression) \
  FREEHOLD_INTERNAL_CHECK(return, FREEHOLD_INTERNAL_JOIN(outcome_, __LINE__), expression)
#define FREEHOLD_INTERNAL_CO_TRY_2(declaration, expression)                                 \
  FREEHOLD_INTERNAL_TRY(co_return, FREEHOLD_INTERNAL_JOIN(outcome_, __LINE__), declaration, \
                        expression)
#define FREEHOLD_INTERNAL_CO_TRY_1(expression) \
  FREEHOLD_INTERNAL_CHECK(co_return, FREEHOLD_INTERNAL_JOIN(outcome_, __LINE__), expression)
#define FREEHOLD_TRY(...)                                                                     \
  FREEHOLD_INTERNAL_PICK(__VA_ARGS__, FREEHOLD_INTERNAL_TRY_2, FREEHOLD_INTERNAL_TRY_1, none) \
  (__VA_ARGS__)
#define FREEHOLD_CO_TRY(...)                                                                  \
  FREEHOLD_INTERNAL_PICK(__VA_ARGS__, FREEHOLD_INTERNAL_CO_TRY_2, FREEHOLD_INTERNAL_CO_TRY_1, \
                         none)                                                                \
  (__VA_ARGS__)
