// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/internal/message_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <boost/beast/http/error.hpp>
#include <type_traits>

#include "freehold/http/internal/wire.h"

namespace freehold::http::internal {

using boost::system::error_code;

template <class Message>
class MessageParser<Message>::Parser final
    : public boost::beast::http::basic_parser<std::is_same_v<Message, Request>> {
 public:
  Parser(Message& into, const MessageLimits& limits) : into_(into) {
    this->header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    this->body_limit(limits.body_bytes_max);
  }

  bool is_old() const { return is_old_; }

 private:
  using View = boost::beast::string_view;
  using Verb = boost::beast::http::verb;
  using Field = boost::beast::http::field;
  static std::string_view view(View text) { return {text.data(), text.size()}; }

  void on_request_impl(Verb, View method, View target, int version, error_code&) override {
    is_old_ = version < 11;
    if constexpr (std::is_same_v<Message, Request>) {
      into_.method = method_from_name(view(method));
      into_.target = in_origin_form(view(target));
    }
  }
  void on_response_impl(int status, View, int, error_code&) override {
    if constexpr (std::is_same_v<Message, Response>) into_.status = status;
  }
  void on_field_impl(Field, View name, View value, error_code&) override {
    into_.headers.add(view(name), view(value));
  }
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& length, error_code&) override {
    if (length) into_.body.reserve(*length);  // within body_limit, which was checked before
  }
  std::size_t on_body_impl(View body, error_code&) override {
    into_.body += view(body);
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code&) override {
    into_.body += view(body);
    return body.size();
  }
  void on_finish_impl(error_code&) override {}

  Message& into_;
  bool is_old_ = false;
};

template <class Message>
MessageParser<Message>::MessageParser(Message& into, MessageLimits limits)
    : into_(into), limits_(limits), parser_(std::make_unique<Parser>(into, limits_)) {}

template <class Message>
MessageParser<Message>::~MessageParser() = default;

// In the same memory: a connection's requests allocate no parsers.
template <class Message>
void MessageParser<Message>::begin() {
  std::destroy_at(parser_.get());
  std::construct_at(parser_.get(), into_, limits_);
  head_taken_ = 0;
}

template <class Message>
void MessageParser<Message>::take_body() {
  parser_->eager(true);
}

template <class Message>
void MessageParser<Message>::expect_no_body() {
  parser_->skip(true);
}

// Beast takes a head field by field, and compares with its limit only what it is given at a time.
template <class Message>
std::size_t MessageParser<Message>::put(std::string_view bytes, error_code& failure) {
  using boost::beast::http::error;
  const std::size_t taken =
      parser_->put(boost::asio::const_buffer{bytes.data(), bytes.size()}, failure);
  if (failure == error::need_more) failure = {};
  if (is_header_done()) return taken;
  head_taken_ += taken;
  if (!failure && head_taken_ > limits_.header_bytes_max) failure = error::header_limit;
  return taken;
}

template <class Message>
void MessageParser<Message>::put_eof(error_code& failure) {
  parser_->put_eof(failure);
}

template <class Message>
bool MessageParser<Message>::is_header_done() const {
  return parser_->is_header_done();
}

template <class Message>
bool MessageParser<Message>::is_done() const {
  return parser_->is_done();
}

template <class Message>
bool MessageParser<Message>::keep_alive() const {
  return parser_->keep_alive();
}

template <class Message>
bool MessageParser<Message>::is_old() const {
  return parser_->is_old();
}

template <class Message>
std::optional<std::uint64_t> MessageParser<Message>::content_length() const {
  if (const auto length = parser_->content_length()) return *length;
  return std::nullopt;
}

template class MessageParser<Request>;
template class MessageParser<Response>;

}  // namespace freehold::http::internal
