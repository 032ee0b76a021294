// SPDX-License-Identifier: Apache-2.0
//
// How a route's input struct is filled: path first, then the query (GET, DELETE) or the JSON body.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/http/call.h"
#include "freehold/http/internal/path_text.h"
#include "freehold/http/uri.h"
#include "freehold/schema/json.h"

namespace freehold::http::internal {

bool takes_body(Method method);
// A body that says what it is must say JSON (RFC 8259; RFC 6839, +json). Refused:
// unsupported_media_type.
Result<> check_media_type(const Request& request);
Error unknown_query_parameter(std::string_view name);
Error repeated_query_parameter(std::string_view name);

// Takes the members that the path gives.
template <class In, PathText Path>
Result<> read_path(In& in, const Exchange& exchange) {
  for (std::size_t i = 0; i < path_parameters<Path>.size(); ++i) {
    FREEHOLD_TRY(auto text, percent_decoded(exchange.path_values[i]));
    FREEHOLD_TRY(set_member(in, path_parameters<Path>[i], text));
  }
  return {};
}

// Takes the members that the query gives, strictly: each must exist, once, and not be the path's.
template <class In, PathText Path>
Result<> read_query(In& in, std::string_view query) {
  static constexpr auto of_path = std::span<const std::string_view>{path_parameters<Path>};
  std::vector<std::string> names;
  FREEHOLD_TRY(auto fields, query_fields(query));
  std::vector<std::string_view> given{of_path.begin(), of_path.end()};
  for (const auto& [name, value] : fields) {
    if (std::ranges::find(of_path, name) != of_path.end() || !has_member<In>(name))
      return unknown_query_parameter(name);
    if (std::ranges::find(given, name) != given.end()) return repeated_query_parameter(name);
    FREEHOLD_TRY(set_member(in, name, value));
    given.emplace_back(name);
  }
  return require_members<In>(given);
}

// Refused: malformed, naming what is wrong; unsupported_media_type.
template <class In, PathText Path>
Result<In> read_input(const Exchange& exchange) {
  In in{};
  const Request& request = *exchange.request;
  FREEHOLD_TRY((read_path<In, Path>(in, exchange)));
  if (!takes_body(request.method)) {
    FREEHOLD_TRY((read_query<In, Path>(in, request.query())));
    return in;
  }
  FREEHOLD_TRY(auto fields, query_fields(request.query()));
  if (!fields.empty()) return unknown_query_parameter(fields.front().first);
  FREEHOLD_TRY(check_media_type(request));
  const std::string_view body = request.body.empty() ? "{}" : std::string_view{request.body};
  FREEHOLD_TRY(read_json_members(in, body, Strictness::strict, path_parameters<Path>));
  return in;
}

}  // namespace freehold::http::internal
