// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/internal/request_parser.h"

#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>

#include "freehold/http/internal/wire.h"

namespace freehold::http::internal {

using boost::system::error_code;

class RequestParser::Parser final : public boost::beast::http::basic_parser<true> {
 public:
  Parser(Request& into, const ServerOptions& limits) : into_(into) {
    eager(true);
    header_limit(static_cast<std::uint32_t>(limits.header_bytes_max));
    body_limit(limits.body_bytes_max);
  }

  bool is_old() const { return is_old_; }

 private:
  using View = boost::beast::string_view;
  using Verb = boost::beast::http::verb;
  using Field = boost::beast::http::field;
  static std::string_view view(View text) { return {text.data(), text.size()}; }

  void on_request_impl(Verb, View method, View target, int version, error_code&) override {
    is_old_ = version < 11;
    into_.method = method_from_name(view(method));
    into_.target = in_origin_form(view(target));
  }
  void on_response_impl(int, View, int, error_code&) override {}
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

  Request& into_;
  bool is_old_ = false;
};

RequestParser::RequestParser(Request& into, const ServerOptions& limits)
    : into_(into), limits_(limits), parser_(std::make_unique<Parser>(into, limits)) {}

RequestParser::~RequestParser() = default;

// In the same memory: a connection's requests allocate no parsers.
void RequestParser::begin() {
  std::destroy_at(parser_.get());
  std::construct_at(parser_.get(), into_, limits_);
}

std::size_t RequestParser::put(std::string_view bytes, error_code& failure) {
  return parser_->put(boost::asio::const_buffer{bytes.data(), bytes.size()}, failure);
}

bool RequestParser::is_header_done() const {
  return parser_->is_header_done();
}

bool RequestParser::is_done() const {
  return parser_->is_done();
}

bool RequestParser::keep_alive() const {
  return parser_->keep_alive();
}

bool RequestParser::is_old() const {
  return parser_->is_old();
}

}  // namespace freehold::http::internal
