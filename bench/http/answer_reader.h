// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/beast/http/basic_parser.hpp>
#include <boost/optional/optional.hpp>
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
// arrive (RFC 9112, by Beast's parser). An answer that arrives in one piece is not copied.
class AnswerReader {
 public:
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
    using error_code = boost::beast::error_code;

    void on_request_impl(boost::beast::http::verb, View, View, int, error_code&) override {}
    void on_response_impl(int status, View, int, error_code&) override;
    void on_field_impl(boost::beast::http::field, View, View value, error_code&) override;
    void on_header_impl(error_code&) override {}
    void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
    std::size_t on_body_impl(View body, error_code&) override;
    void on_chunk_header_impl(std::uint64_t, View, error_code&) override {}
    std::size_t on_chunk_body_impl(std::uint64_t, View body, error_code&) override;
    void on_finish_impl(error_code&) override {}

    AnswerReader& reader_;
  };

  void keep();

  std::optional<Parser> parser_;
  Answer answer_;
  std::string etag_;  // the answer's texts, when they came in several pieces
  std::string body_;
  std::string rest_;  // a piece that cannot be read yet, with those that follow it
  bool more_than_asked_ = false;
};

}  // namespace bench
