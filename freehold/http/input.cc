// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/internal/input.h"
#include "freehold/base/errors.h"
#include "freehold/http/internal/answer.h"
#include "freehold/http/internal/peer_request.h"

namespace freehold::http::internal {

bool takes_body(Method method) {
  return method == Method::post || method == Method::put || method == Method::patch;
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
