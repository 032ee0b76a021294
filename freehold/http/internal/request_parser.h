// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/system/error_code.hpp>
#include <cstddef>
#include <memory>
#include <string_view>

#include "freehold/http/message.h"
#include "freehold/http/server.h"

namespace freehold::http::internal {

// Reads one request after the other from bytes as they come: Beast's parser, writing into a Request
// that is used again.
class RequestParser {
 public:
  RequestParser(Request& into, const ServerOptions& limits);  // both outlive it
  ~RequestParser();
  RequestParser(const RequestParser&) = delete;
  RequestParser& operator=(const RequestParser&) = delete;

  // Before each request, whatever became of the last one.
  void begin();

  // How many bytes were taken. Failures are those of boost::beast::http::error; need_more is none.
  std::size_t put(std::string_view bytes, boost::system::error_code& failure);

  bool is_header_done() const;
  bool is_done() const;
  bool keep_alive() const;
  bool is_old() const;  // HTTP/1.0

 private:
  class Parser;
  Request& into_;
  const ServerOptions& limits_;
  std::unique_ptr<Parser> parser_;
};

}  // namespace freehold::http::internal
