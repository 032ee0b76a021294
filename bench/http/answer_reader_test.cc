// SPDX-License-Identifier: Apache-2.0
#include "bench/http/answer_reader.h"

#include <gtest/gtest.h>

#include "freehold/base/errors.h"

namespace bench {
namespace {

constexpr std::string_view an_answer =
    "HTTP/1.1 201 Created\r\nETag: \"7-long-enough-to-be-kept\"\r\nContent-Length: 11\r\n\r\n"
    "{\"id\":\"o1\"}";
constexpr std::string_view in_chunks =
    "HTTP/1.1 201 Created\r\nETag: \"7-long-enough-to-be-kept\"\r\nTransfer-Encoding: "
    "chunked\r\n\r\n"
    "4\r\n{\"id\r\n7\r\n\":\"o1\"}\r\n0\r\n\r\n";

void expect_the_answer(const AnswerReader& reader) {
  ASSERT_TRUE(reader.is_whole());
  EXPECT_EQ(reader.answer().status, 201);
  EXPECT_EQ(reader.answer().etag, "\"7-long-enough-to-be-kept\"");
  EXPECT_EQ(reader.answer().body, "{\"id\":\"o1\"}");
}

TEST(AnswerReader, an_answer_is_read_whole_and_in_single_bytes_one_after_the_other) {
  AnswerReader reader;
  for (const std::string_view text : {an_answer, in_chunks, an_answer}) {
    reader.begin();
    EXPECT_TRUE(reader.take(text));
    expect_the_answer(reader);
    EXPECT_TRUE(reader.may_go_on());
    reader.begin();
    for (const char byte : text) {
      EXPECT_FALSE(reader.is_whole());
      // A piece is gone when the next one comes.
      const std::string piece(1, byte);
      ASSERT_TRUE(reader.take(piece));
    }
    expect_the_answer(reader);
    EXPECT_TRUE(reader.may_go_on());
  }
}

TEST(AnswerReader, what_is_said_before_the_answer_is_passed_over) {
  AnswerReader reader;
  reader.begin();
  const std::string both = std::string{"HTTP/1.1 100 Continue\r\n\r\n"}.append(an_answer);
  EXPECT_TRUE(reader.take(both));
  expect_the_answer(reader);
}

TEST(AnswerReader, an_answer_without_a_body_is_whole_with_its_head) {
  AnswerReader reader;
  reader.begin();
  EXPECT_TRUE(reader.take("HTTP/1.1 204 No Content\r\n\r\n"));
  ASSERT_TRUE(reader.is_whole());
  EXPECT_EQ(reader.answer().status, 204);
  EXPECT_EQ(reader.answer().body, "");
  EXPECT_TRUE(reader.may_go_on());
}

TEST(AnswerReader, an_answer_of_no_stated_length_ends_with_the_connection) {
  AnswerReader reader;
  reader.begin();
  EXPECT_TRUE(reader.take("HTTP/1.1 200 OK\r\n\r\nas long"));
  EXPECT_TRUE(reader.take(" as it comes"));
  EXPECT_FALSE(reader.is_whole());
  EXPECT_TRUE(reader.take_end());
  ASSERT_TRUE(reader.is_whole());
  EXPECT_EQ(reader.answer().body, "as long as it comes");
  EXPECT_FALSE(reader.may_go_on());
}

TEST(AnswerReader, half_an_answer_and_none_are_lost) {
  AnswerReader reader;
  for (std::size_t length = 0; length < an_answer.size(); ++length) {
    reader.begin();
    EXPECT_TRUE(reader.take(an_answer.substr(0, length)));
    EXPECT_FALSE(reader.is_whole());
    const auto end = reader.take_end();
    ASSERT_FALSE(end) << length;
    EXPECT_TRUE(end.error().is(freehold::errors::connection_lost));
  }
}

TEST(AnswerReader, what_is_no_http_is_told) {
  AnswerReader reader;
  for (const std::string_view text :
       {"SSH-2.0-OpenSSH_9.2\r\n\r\n", "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nno length\r\n"}) {
    reader.begin();
    const auto read = reader.take(text);
    ASSERT_FALSE(read) << text;
    EXPECT_TRUE(read.error().is(freehold::errors::unexpected_answer)) << read.error().text();
  }
}

TEST(AnswerReader, a_connection_is_not_used_again_that_is_to_be_closed_or_says_too_much) {
  AnswerReader reader;
  reader.begin();
  EXPECT_TRUE(reader.take("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"));
  EXPECT_TRUE(reader.is_whole());
  EXPECT_FALSE(reader.may_go_on());
  reader.begin();
  const std::string too_much = std::string{an_answer} + "more";
  EXPECT_TRUE(reader.take(too_much));
  expect_the_answer(reader);
  EXPECT_FALSE(reader.may_go_on());
}

}  // namespace
}  // namespace bench
