// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/internal/router.h"

#include "freehold/base/assert.h"

namespace freehold::http::internal {

struct Router::Node {
  std::vector<std::pair<std::string, std::unique_ptr<Node>>> fixed;
  std::unique_ptr<Node> parameter;
  std::vector<std::pair<Method, const Route*>> routes;

  Node& child(std::string_view segment) {
    if (segment.starts_with('{')) {
      if (!parameter) parameter = std::make_unique<Node>();
      return *parameter;
    }
    if (const Node* known = fixed_child(segment)) return const_cast<Node&>(*known);
    return *fixed.emplace_back(segment, std::make_unique<Node>()).second;
  }

  const Node* fixed_child(std::string_view segment) const {
    for (const auto& [name, node] : fixed)
      if (name == segment) return node.get();
    return nullptr;
  }

  const Route* route(Method method) const {
    for (const auto& [each, route] : routes)
      if (each == method) return route;
    return nullptr;
  }
};

namespace {

// Takes "/segment" off the front of `rest`.
std::string_view take_segment(std::string_view& rest) {
  const std::size_t end = rest.find('/', 1);
  const std::string_view segment = rest.substr(1, end == std::string_view::npos ? end : end - 1);
  rest = end == std::string_view::npos ? std::string_view{} : rest.substr(end);
  return segment;
}

}  // namespace

Router::Router() : root_(std::make_unique<Node>()) {}
Router::~Router() = default;

void Router::add(Method method, std::string_view path, const Route& route) {
  Node* node = root_.get();
  while (!path.empty()) node = &node->child(take_segment(path));
  FREEHOLD_ASSERT(node->route(method) == nullptr, "a method and path are declared twice");
  node->routes.emplace_back(method, &route);
}

const Router::Node* Router::match(const Node& node, std::string_view rest,
                                  std::vector<std::string_view>& values) {
  if (rest.empty()) return node.routes.empty() ? nullptr : &node;
  const std::string_view segment = take_segment(rest);
  if (const Node* child = node.fixed_child(segment))
    if (const Node* found = match(*child, rest, values)) return found;
  if (!node.parameter || segment.empty()) return nullptr;
  values.push_back(segment);
  if (const Node* found = match(*node.parameter, rest, values)) return found;
  values.pop_back();
  return nullptr;
}

Router::Found Router::find(Method method, std::string_view path,
                           std::vector<std::string_view>& values) const {
  if (!path.starts_with('/')) return {};
  const Node* node = match(*root_, path, values);
  if (!node) return {};
  if (const Route* route = node->route(method == Method::head ? Method::get : method))
    return {route, {}};
  Found found;
  for (const auto& [each, route] : node->routes) {
    if (!found.allow.empty()) found.allow += ", ";
    found.allow += name_of(each);
    if (each == Method::get) found.allow += ", HEAD";
  }
  return found;
}

}  // namespace freehold::http::internal
