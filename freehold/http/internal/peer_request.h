// SPDX-License-Identifier: Apache-2.0
//
// A typed call to a peer as a message, and its answer as a value: the mirror of input.h.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>

#include "freehold/base/result.h"
#include "freehold/http/internal/input.h"
#include "freehold/http/internal/path_text.h"
#include "freehold/http/message.h"
#include "freehold/http/problem.h"
#include "freehold/http/uri.h"
#include "freehold/schema/json.h"

namespace freehold::http::internal {

Error unexpected_answer(const Response& response, const Error& why);

// A value as it stands in a path or query: its JSON without quotes.
template <class T>
void write_text(std::string& out, const T& value) {
  if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    write_percent_encoded(out, value);
  } else {
    const std::string json = to_json(value);
    std::string_view text = json;
    if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
    write_percent_encoded(out, text);
  }
}

template <class T>
void write_query_field(std::string& target, std::string_view name, const T& value) {
  if constexpr (freehold::internal::is_optional<T>) {
    if (value) write_query_field(target, name, *value);
  } else {
    target += target.contains('?') ? '&' : '?';
    target += name;
    target += '=';
    write_text(target, value);
  }
}

// The members that are not the path's: the peer is strict and takes those from the path alone.
template <PathText Path, class In>
void write_body(std::string& out, const In& in) {
  char before = '{';
  for_each_member(in, [&](std::string_view name, const auto& value) {
    if (std::ranges::find(path_parameters<Path>, name) != path_parameters<Path>.end()) return;
    if (!freehold::internal::is_written(value)) return;
    out += before;
    before = ',';
    write_json(out, name);
    out += ':';
    write_json(out, value);
  });
  if (before == '{') out += before;
  out += '}';
}

template <PathText Path, class In>
Request peer_request(Method method, const In& in) {
  check_path<Path, In>();
  Request request;
  request.method = method;
  std::string_view rest = Path.text();
  for (std::string_view parameter : path_parameters<Path>) {
    request.target += rest.substr(0, rest.find('{'));
    for_each_member(in, [&](std::string_view name, const auto& value) {
      if (name == parameter) write_text(request.target, value);
    });
    rest.remove_prefix(rest.find('}') + 1);
  }
  request.target += rest;
  if (takes_body(method)) {
    if constexpr (member_count<In> > path_parameters<Path>.size()) {
      request.headers.add("Content-Type", "application/json");
      write_body<Path>(request.body, in);
    }
  } else {
    for_each_member(in, [&](std::string_view name, const auto& value) {
      if (std::ranges::find(path_parameters<Path>, name) == path_parameters<Path>.end())
        write_query_field(request.target, name, value);
    });
  }
  return request;
}

template <class Out>
Result<Out> read_answer(const Response& response) {
  if (response.status >= 400) return read_problem(response);
  if constexpr (std::is_void_v<Out>) {
    return {};
  } else {
    auto out = read_json<Out>(response.body, Strictness::tolerant);
    if (!out) return unexpected_answer(response, out.error());
    return out;
  }
}

}  // namespace freehold::http::internal
