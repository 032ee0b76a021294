// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/error.h"

#include <algorithm>
#include <utility>

#include "freehold/base/assert.h"

namespace freehold {

int http_status(Kind kind) {
  switch (kind) {
    case Kind::invalid:
      return 400;
    case Kind::unauthenticated:
      return 401;
    case Kind::forbidden:
      return 403;
    case Kind::not_found:
      return 404;
    case Kind::conflict:
      return 409;
    case Kind::precondition_failed:
      return 412;
    case Kind::precondition_required:
      return 428;
    case Kind::refused:
      return 422;
    case Kind::throttled:
      return 429;
    case Kind::unavailable:
      return 503;
    case Kind::indeterminate:
      return 504;
    case Kind::internal:
      return 500;
  }
  FREEHOLD_ASSERT(false, "every kind has a status");
  return 500;
}

std::string_view name_of(Kind kind) {
  switch (kind) {
    case Kind::invalid:
      return "invalid";
    case Kind::unauthenticated:
      return "unauthenticated";
    case Kind::forbidden:
      return "forbidden";
    case Kind::not_found:
      return "not_found";
    case Kind::conflict:
      return "conflict";
    case Kind::precondition_failed:
      return "precondition_failed";
    case Kind::precondition_required:
      return "precondition_required";
    case Kind::refused:
      return "refused";
    case Kind::throttled:
      return "throttled";
    case Kind::unavailable:
      return "unavailable";
    case Kind::indeterminate:
      return "indeterminate";
    case Kind::internal:
      return "internal";
  }
  FREEHOLD_ASSERT(false, "every kind has a name");
  return {};
}

std::optional<Kind> kind_from_name(std::string_view name) {
  const auto* const found = std::ranges::find(every_kind, name, name_of);
  return found == every_kind.end() ? std::nullopt : std::optional{*found};
}

Error::Error(const ErrorCode& code, std::string detail)
    : Error(std::string{code.service}, std::string{code.name}, code.kind,
            std::string{code.sentence}, std::move(detail)) {}

Error::Error(std::string service, std::string name, Kind kind, std::string sentence,
             std::string detail)
    : service_(std::move(service)),
      name_(std::move(name)),
      kind_(kind),
      sentence_(std::move(sentence)),
      detail_(std::move(detail)) {}

std::string Error::text() const {
  std::string text = service_ + '/' + name_ + ": " + sentence_;
  if (!detail_.empty()) text += " (" + detail_ + ')';
  return text;
}

}  // namespace freehold
