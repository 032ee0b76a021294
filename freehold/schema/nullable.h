// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <utility>
#include <variant>

#include "freehold/base/assert.h"

namespace freehold {

// A field of a PATCH that can be cleared: absent (leave it as it is), null (clear it), or a value
// (set it). std::optional is for fields that cannot be cleared.
template <class T>
class Nullable {
 public:
  Nullable() = default;                            // absent
  Nullable(std::nullptr_t) : state_(Null{}) {}     // NOLINT
  Nullable(T value) : state_(std::move(value)) {}  // NOLINT

  bool is_absent() const { return state_.index() == 0; }
  bool is_null() const { return state_.index() == 1; }
  bool has_value() const { return state_.index() == 2; }

  const T& value() const {
    FREEHOLD_ASSERT(has_value(), "value() of a Nullable that is absent or null");
    return std::get<2>(state_);
  }
  const T& operator*() const { return value(); }

  friend bool operator==(const Nullable&, const Nullable&) = default;

 private:
  struct Absent {
    friend bool operator==(const Absent&, const Absent&) = default;
  };
  struct Null {
    friend bool operator==(const Null&, const Null&) = default;
  };
  std::variant<Absent, Null, T> state_;
};

namespace internal {

template <class T>
inline constexpr bool is_nullable = false;
template <class T>
inline constexpr bool is_nullable<Nullable<T>> = true;

}  // namespace internal
}  // namespace freehold
