// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <boost/optional/optional.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "freehold/base/result.h"

namespace bench {

// What a service answered.
struct Answer {
  int status = 0;
  std::string_view etag;
  std::string_view body;
};

// Reads the answers that come over one connection, one after the other, in whatever pieces they
// arrive (RFC 9112, by Beast's parser). A body that arrives in one piece is not copied.
class AnswerReader {
 public:
  AnswerReader() = default;
  AnswerReader(const AnswerReader&) = delete;
  AnswerReader& operator=(const AnswerReader&) = delete;

  // Forgets the answer before. What `answer()` has returned stays as it is until the next `take`.
  void begin();

  // The next bytes that have arrived. Fails when they are no HTTP: unexpected_answer.
  freehold::Result<> take(std::string_view arrived);

  // Nothing more arrives: that is the end of an answer which does not tell its length. Fails when
  // this one is not whole: connection_lost.
  freehold::Result<> take_end();

  bool is_whole() const { return parser_ && parser_->is_done(); }

  // Of a whole answer: another request may be sent over this connection.
  bool may_go_on() const { return parser_->keep_alive() && !more_than_asked_; }

  // A whole one. Its texts lie in what has arrived last, or here.
  Answer answer() const { return answer_; }

 private:
  class Parser final : public boost::beast::http::basic_parser<false> {
   public:
    explicit Parser(AnswerReader& reader);

   private:
    using View = boost::beast::string_view;
    using ErrorCode = boost::beast::error_code;

    void on_request_impl(boost::beast::http::verb, View, View, int, ErrorCode&) override {}
    void on_response_impl(int status, View, int, ErrorCode&) override;
    void on_field_impl(boost::beast::http::field, View, View value, ErrorCode&) override;
    void on_header_impl(ErrorCode&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, ErrorCode&) override {}
    std::size_t on_body_impl(View body, ErrorCode&) override;
    void on_chunk_header_impl(std::uint64_t, View, ErrorCode&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, View body, ErrorCode&) override;
    void on_finish_impl(ErrorCode&) override {}

    AnswerReader& reader_;
  };

  void keep();

  std::optional<Parser> parser_;
  Answer answer_;
  std::string etag_;  // the answer's
  std::string body_;  // the answer's, when it came in several pieces
  std::string rest_;  // a piece that cannot be read yet, with those that follow it
  bool more_than_asked_ = false;
};

}  // namespace bench
