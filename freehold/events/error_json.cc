// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/error_json.h"

#include <optional>
#include <stdexcept>
#include <utility>

#include "freehold/schema/json.h"

namespace freehold {
namespace {

struct ErrorText {
  std::string service;
  std::string name;
  std::string kind;
  std::string sentence;
  std::optional<std::string> detail;
};
BOOST_DESCRIBE_STRUCT(ErrorText, (), (service, name, kind, sentence, detail))

}  // namespace

std::string error_to_json(const Error& error) {
  return to_json(ErrorText{std::string{error.service()}, std::string{error.name()},
                           std::string{name_of(error.kind())}, std::string{error.sentence()},
                           std::string{error.detail()}});
}

Error error_from_json(std::string_view json) {
  Result<ErrorText> read = read_json<ErrorText>(json, Strictness::tolerant);
  if (!read) throw std::runtime_error("this program cannot read an error: " + read.error().text());
  return {std::move(read->service), std::move(read->name),
          kind_from_name(read->kind).value_or(Kind::indeterminate), std::move(read->sentence),
          std::move(read->detail).value_or("")};
}

}  // namespace freehold
