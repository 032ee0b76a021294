// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace freehold::internal {

// "product::Line", cut out of what clang says about this very function.
template <class T>
consteval std::string_view spelled_type_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  return text.substr(0, text.rfind(']'));
}

struct TypeName {
  std::array<char, 160> text{};
  std::size_t size = 0;
};

// Leaves letters, digits and underscores, turns `::` into a dot and any other run into one
// underscore: what the names of OpenAPI components are made of.
consteval TypeName component_name(std::string_view spelled) {
  constexpr std::string_view anonymous = "(anonymous namespace)::";
  TypeName name;
  while (!spelled.empty()) {
    const char c = spelled.front();
    const bool plain =
        (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
    if (spelled.starts_with(anonymous)) {
      spelled.remove_prefix(anonymous.size());
    } else if (spelled.starts_with("::")) {
      name.text[name.size++] = '.';
      spelled.remove_prefix(2);
    } else {
      if (plain) name.text[name.size++] = c;
      if (!plain && (name.size == 0 || name.text[name.size - 1] != '_'))
        name.text[name.size++] = '_';
      spelled.remove_prefix(1);
    }
  }
  while (name.size > 1 && name.text[name.size - 1] == '_') --name.size;
  return name;
}

template <class T>
inline constexpr TypeName stored_type_name = component_name(spelled_type_name<T>());

template <class T>
constexpr std::string_view type_name() {
  return {stored_type_name<T>.text.data(), stored_type_name<T>.size};
}

}  // namespace freehold::internal
