// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/internal/input.h"
#include "freehold/base/errors.h"
#include "freehold/http/internal/answer.h"
#include "freehold/http/internal/peer_request.h"

namespace freehold::http::internal {

bool takes_body(Method method) {
  return method == Method::post || method == Method::put || method == Method::patch;
}

Result<> check_media_type(const Request& request) {
  const auto field = request.headers.find("Content-Type");
  if (!field || request.body.empty()) return {};
  std::string_view type = field->substr(0, field->find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  const bool is_json =
      equal_without_case(type, "application/json") ||
      (type.size() > 5 && equal_without_case(type.substr(type.size() - 5), "+json"));
  // What `curl -d` and others call any body when nobody tells them what it is.
  const bool says_nothing = equal_without_case(type, "application/x-www-form-urlencoded");
  if (is_json || says_nothing) return {};
  return Error{errors::unsupported_media_type, "Content-Type: application/json is expected"};
}

Error unknown_query_parameter(std::string_view name) {
  return {errors::malformed, "query parameter " + std::string{name} + ": not known here"};
}

Error repeated_query_parameter(std::string_view name) {
  return {errors::malformed, "query parameter " + std::string{name} + ": given twice"};
}

void set_reply_headers(Response& response, std::string_view location, std::string_view etag) {
  if (!location.empty()) response.headers.add("Location", location);
  if (!etag.empty()) response.headers.add("ETag", '"' + std::string{etag} + '"');
}

Error unexpected_answer(const Response& response, const Error& why) {
  return {errors::unexpected_answer,
          "status " + std::to_string(response.status) + ", " + std::string{why.detail()}};
}

}  // namespace freehold::http::internal
