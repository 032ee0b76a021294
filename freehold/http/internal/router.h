// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/http/message.h"

namespace freehold::http {
class Route;
}

namespace freehold::http::internal {

// Finds the route of a path, segment by segment: a fixed segment wins over a {parameter}, and where
// it leads nowhere the parameter is tried. No allocation but for the parameters' views.
class Router {
 public:
  struct Found {
    const Route* route = nullptr;  // nullptr with a non-empty `allow`: another method is meant
    std::string allow;             // "GET, HEAD, POST"
  };

  Router();
  ~Router();

  // To declare a method and path twice is a bug.
  void add(Method method, std::string_view path, const Route& route);

  // `values` receives the text of the path's parameters, as views into `path`.
  Found find(Method method, std::string_view path, std::vector<std::string_view>& values) const;

 private:
  struct Node;
  static const Node* match(const Node& node, std::string_view rest,
                           std::vector<std::string_view>& values);
  std::unique_ptr<Node> root_;
};

}  // namespace freehold::http::internal
