// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/system/error_code.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "freehold/http/message.h"

namespace freehold::http::internal {

struct MessageLimits {
  std::size_t header_bytes_max = 0;  // of those that come before the head's last
  std::size_t body_bytes_max = 0;
};

// Reads one message after the other from bytes as they come: Beast's parser, writing into a Request
// or a Response.
template <class Message>
class MessageParser {
 public:
  MessageParser(Message& into, MessageLimits limits);  // which outlives it
  ~MessageParser();
  MessageParser(const MessageParser&) = delete;
  MessageParser& operator=(const MessageParser&) = delete;

  // Before each further message, whatever became of the last one: all is as it was at first.
  void begin();

  // By default `put` stops behind the head.
  void take_body();
  void expect_no_body();  // whatever the head says of one

  // How many bytes were taken; what is left must come again, with more behind it. Failures are
  // those of boost::beast::http::error.
  std::size_t put(std::string_view bytes, boost::system::error_code& failure);
  // The connection was closed: the end of a body that says no length, else a failure.
  void put_eof(boost::system::error_code& failure);

  bool is_header_done() const;
  bool is_done() const;
  bool keep_alive() const;
  bool is_old() const;  // a request of HTTP/1.0
  std::optional<std::uint64_t> content_length() const;

 private:
  class Parser;
  Message& into_;
  const MessageLimits limits_;
  std::size_t head_taken_ = 0;  // bytes
  std::unique_ptr<Parser> parser_;
};

extern template class MessageParser<Request>;
extern template class MessageParser<Response>;

}  // namespace freehold::http::internal
