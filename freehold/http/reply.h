// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe.hpp>
#include <string>

namespace freehold::http {

// The input of a route that takes nothing, and the body of an answer that has none.
struct None {
  friend bool operator==(const None&, const None&) = default;
};
BOOST_DESCRIBE_STRUCT(None, (), ())

// An answer with more than a body. A plain T is answered as Reply<T>{.body = T}.
template <class T>
struct Reply {
  int status = 200;
  T body{};
  std::string location{};  // of what was made; empty: no Location
  std::string etag{};      // the version, without quotes; empty: no ETag
};

// An answer without a body.
template <>
struct Reply<void> {
  int status = 204;
  std::string location{};
  std::string etag{};
};

}  // namespace freehold::http
