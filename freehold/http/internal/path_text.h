// SPDX-License-Identifier: Apache-2.0
//
// A route's path as a template argument: "/api/products/{id}". Its parameters are whole segments.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include "freehold/schema/described.h"

namespace freehold::http::internal {

template <std::size_t N>
struct PathText {
  consteval PathText(const char (&path)[N]) { std::copy_n(path, N, characters); }  // NOLINT
  constexpr std::string_view text() const { return {characters, N - 1}; }
  char characters[N];
};

constexpr std::size_t count_parameters(std::string_view path) {
  return static_cast<std::size_t>(std::count(path.begin(), path.end(), '{'));
}

// The names between braces, in the order of the path.
template <PathText Path>
inline constexpr auto path_parameters = [] {
  std::array<std::string_view, count_parameters(Path.text())> names;
  std::string_view rest = Path.text();
  for (std::string_view& name : names) {
    rest.remove_prefix(rest.find('{') + 1);
    name = rest.substr(0, rest.find('}'));
  }
  return names;
}();

constexpr bool is_path(std::string_view path) {
  if (!path.starts_with('/') || (path.size() > 1 && path.ends_with('/'))) return false;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '?' || path[i] == '%' || path[i] == ' ') return false;
    if (path[i] == '{' && path[i - 1] != '/') return false;
    if (path[i] == '}' && i + 1 < path.size() && path[i + 1] != '/') return false;
  }
  return true;
}

template <PathText Path, class In>
consteval bool parameters_are_members() {
  for (std::string_view name : path_parameters<Path>)
    if (!has_member<In>(name)) return false;
  return true;
}

// Compiles only when the path can be one and each of its parameters is a member of In.
template <PathText Path, class In>
consteval void check_path() {
  static_assert(is_path(Path.text()),
                "a route's path begins with '/', does not end with it, and its {parameters} are "
                "whole segments");
  static_assert(Described<In>, "a route's input is a struct with BOOST_DESCRIBE_STRUCT");
  static_assert(parameters_are_members<Path, In>(),
                "a {parameter} of the path is not a member of the route's input struct");
}

}  // namespace freehold::http::internal
