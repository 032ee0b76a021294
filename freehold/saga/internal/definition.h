// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "freehold/base/result.h"
#include "freehold/database/transaction.h"
#include "freehold/saga/internal/saga_coroutine.h"

namespace freehold::internal {

// A saga's definition without its types. `begin` makes the body's frame from the stored input;
// refused: malformed, when the input cannot be read.
struct SagaProgram {
  std::string_view name;
  std::span<const std::string_view> command_types;
  std::function<Result<Saga>(std::string_view input)> begin;
};

// Letters, digits and '_', then ".v" and a number: the first part of every id of its sagas.
constexpr bool is_saga_name(std::string_view name) {
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const std::size_t dot = name.rfind(".v");
  if (dot == std::string_view::npos || dot == 0 || dot + 2 == name.size()) return false;
  for (char c : name.substr(dot + 2))
    if (!is_digit(c)) return false;
  for (char c : name.substr(0, dot))
    if (!is_digit(c) && (c < 'a' || c > 'z') && c != '_') return false;
  return true;
}

// Journals the saga and runs the body that `begin` makes to its first wait, unless a saga of that
// id was started before.
void start_saga(SqlTransaction& transaction, std::string_view name, std::string_view key,
                std::string input, const std::function<Saga()>& begin);

}  // namespace freehold::internal
