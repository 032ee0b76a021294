// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/saga_step.h"

#include <optional>
#include <ranges>
#include <stdexcept>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/schema/json.h"

namespace freehold::internal {
namespace {

struct ErrorText {
  std::string service;
  std::string name;
  std::string kind;
  std::string sentence;
  std::optional<std::string> detail;
};
BOOST_DESCRIBE_STRUCT(ErrorText, (), (service, name, kind, sentence, detail))

// A kind that this program does not know was made by a newer one: nobody can say what it means for
// the command, so its undo is kept.
Kind kind_of(std::string_view name) {
  for (int kind = 0; kind <= static_cast<int>(Kind::internal); ++kind)
    if (name_of(static_cast<Kind>(kind)) == name) return static_cast<Kind>(kind);
  return Kind::indeterminate;
}

}  // namespace

std::string StepName::text() const {
  std::string text{kind};
  if (!what.empty()) text.append(" ").append(what);
  return text;
}

bool StepName::is(std::string_view journalled) const {
  if (what.empty()) return journalled == kind;
  return journalled.size() == kind.size() + 1 + what.size() && journalled.starts_with(kind) &&
         journalled[kind.size()] == ' ' && journalled.ends_with(what);
}

void ArmedUndos::send_all(SqlTransaction& transaction) {
  for (Send& send : armed_ | std::views::reverse) {
    send(transaction);
    FREEHOLD_CRASH_POINT("saga.after_undo");
  }
  armed_.clear();
}

std::string error_to_json(const Error& error) {
  return to_json(ErrorText{std::string{error.service()}, std::string{error.name()},
                           std::string{name_of(error.kind())}, std::string{error.sentence()},
                           std::string{error.detail()}});
}

Error error_from_json(std::string_view json) {
  Result<ErrorText> read = read_json<ErrorText>(json, Strictness::tolerant);
  if (!read) fail_unreadable(read.error());
  return {std::move(read->service), std::move(read->name), kind_of(read->kind),
          std::move(read->sentence), std::move(read->detail).value_or("")};
}

std::string request_id_of(std::string_view saga, int step) {
  return std::string{saga} + "/" + std::to_string(step);
}

void fail_unreadable(const Error& error) {
  throw std::runtime_error("this program cannot read a journalled outcome: " + error.text());
}

}  // namespace freehold::internal
