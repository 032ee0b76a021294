// SPDX-License-Identifier: Apache-2.0
//
// HTTP messages as values: what the server hands to a route, what a Peer sends, and what a
// simulated network carries from one to the other. No socket and no parser is seen here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "freehold/http/event_stream.h"

namespace freehold::http {

enum class Method { get, head, post, put, patch, del, options, other };

std::string_view name_of(Method method);  // "GET"; of `other`: "OTHER"
Method method_from_name(std::string_view name);

// Whether doing it twice is as good as once whatever the service is, so that a request of which
// nobody knows whether it arrived may be sent again (RFC 9110, 9.2.1).
inline bool is_safe(Method method) {
  return method == Method::get || method == Method::head || method == Method::options;
}

// Header fields in the order in which they came. Names compare without case. All text lies in one
// string, so that a connection that is used again allocates nothing for the next message.
class Headers {
 public:
  Headers() = default;
  Headers(std::initializer_list<std::pair<std::string_view, std::string_view>> fields);

  void add(std::string_view name, std::string_view value);
  void clear();

  // The first field of that name; valid until the next add or clear.
  std::optional<std::string_view> find(std::string_view name) const;

  std::size_t size() const { return fields_.size(); }
  std::pair<std::string_view, std::string_view> operator[](std::size_t index) const;

 private:
  struct Field {
    std::uint32_t at;
    std::uint32_t name_length;
    std::uint32_t value_length;
  };
  std::string text_;
  std::vector<Field> fields_;
};

bool equal_without_case(std::string_view a, std::string_view b);

struct Request {
  Method method = Method::get;
  std::string target{};  // "/api/products?limit=3", percent-encoded, in origin form
  Headers headers{};
  std::string body{};

  std::string_view path() const;   // of the target, before '?'
  std::string_view query() const;  // of the target, after '?'

  void clear();  // as new, but keeps its memory
};

struct Response {
  int status = 200;
  Headers headers{};
  std::string body{};
  EventStream stream{};  // when it holds a producer, that one writes the body

  void clear();  // as new, but keeps its memory
};

}  // namespace freehold::http
