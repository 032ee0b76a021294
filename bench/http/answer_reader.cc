// SPDX-License-Identifier: Apache-2.0
#include "bench/http/answer_reader.h"

#include <boost/beast/http/error.hpp>
#include <boost/beast/http/field.hpp>
#include <utility>

#include "freehold/base/errors.h"

namespace bench {

using ErrorCode = boost::beast::error_code;
using freehold::Error, freehold::Result;

namespace {

constexpr std::size_t body_bytes_max = 16 * 1024 * 1024;

}  // namespace

AnswerReader::Parser::Parser(AnswerReader& reader) : reader_(reader) {
  body_limit(body_bytes_max);
  eager(true);
}

void AnswerReader::Parser::on_response_impl(int status, View, int, ErrorCode&) {
  reader_.answer_ = {.status = status, .etag = {}, .body = {}};
}

void AnswerReader::Parser::on_field_impl(boost::beast::http::field field, View, View value,
                                         ErrorCode&) {
  if (field != boost::beast::http::field::etag) return;
  reader_.answer_.etag = reader_.etag_.assign(value.data(), value.size());
}

std::size_t AnswerReader::Parser::on_body_impl(View piece, ErrorCode&) {
  std::string_view& body = reader_.answer_.body;
  if (body.empty()) {
    body = {piece.data(), piece.size()};
  } else {
    reader_.keep();
    body = reader_.body_.append(piece.data(), piece.size());
  }
  return piece.size();
}

std::size_t AnswerReader::Parser::on_chunk_body_impl(std::uint64_t, View piece,
                                                     ErrorCode& failure) {
  return on_body_impl(piece, failure);
}

void AnswerReader::begin() {
  parser_.emplace(*this);
}

Result<> AnswerReader::take(std::string_view arrived) {
  if (!parser_->got_some()) rest_.clear();
  if (!rest_.empty()) arrived = rest_.append(arrived);
  while (!arrived.empty() && !is_whole()) {
    ErrorCode failure;
    arrived.remove_prefix(parser_->put({arrived.data(), arrived.size()}, failure));
    if (failure == boost::beast::http::error::need_more) break;
    if (failure) return Error{freehold::errors::unexpected_answer, failure.message()};
    // 100 Continue, 103 Early Hints: the answer follows.
    if (is_whole() && answer_.status < 200) begin();
  }
  more_than_asked_ = is_whole() && !arrived.empty();
  if (is_whole()) return {};
  keep();
  rest_ = std::string{arrived};
  return {};
}

// Takes the body out of what has arrived, which will not be there any more.
void AnswerReader::keep() {
  if (answer_.body.data() != body_.data()) answer_.body = body_ = answer_.body;
}

Result<> AnswerReader::take_end() {
  const Error lost{freehold::errors::connection_lost,
                   parser_->got_some() ? "half an answer" : "no answer"};
  if (!parser_->got_some()) return lost;
  ErrorCode failure;
  parser_->put_eof(failure);
  if (failure) return lost;
  return {};
}

}  // namespace bench
