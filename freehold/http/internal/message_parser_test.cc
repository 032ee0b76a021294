// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/internal/message_parser.h"

#include <gtest/gtest.h>

#include <string>

namespace freehold::http::internal {
namespace {

constexpr std::size_t head_bytes_max = 1000;

// Each piece ends one byte into the next field, so that what came before is taken at once.
TEST(MessageParser, bounds_a_head_whose_fields_come_one_by_one) {
  Request request;
  MessageParser<Request> parser{request, {.header_bytes_max = head_bytes_max}};
  boost::system::error_code failure;
  std::string arrived = "GET / HTTP/1.1\r\nX";
  std::size_t taken = 0;
  while (!failure && taken < 100 * head_bytes_max) {
    arrived += "-Piece: " + std::string(100, 'x') + "\r\nX";
    const std::size_t bytes = parser.put(arrived, failure);
    arrived.erase(0, bytes);
    taken += bytes;
  }
  EXPECT_TRUE(failure);
  EXPECT_GT(taken, head_bytes_max);
  EXPECT_LT(taken, head_bytes_max + 200);
}

TEST(MessageParser, takes_as_large_a_head_each_time) {
  Request request;
  MessageParser<Request> parser{request, {.header_bytes_max = head_bytes_max}};
  for (int message = 0; message < 2; ++message) {
    parser.begin();
    boost::system::error_code failure;
    std::string arrived = "GET / HTTP/1.1\r\nX";
    for (int piece = 0; piece < 7; ++piece) {
      arrived += "-Piece: " + std::string(100, 'x') + "\r\nX";
      arrived.erase(0, parser.put(arrived, failure));
    }
    EXPECT_FALSE(failure);
    arrived += ": y\r\n\r\n";
    parser.put(arrived, failure);
    EXPECT_FALSE(failure);
    EXPECT_TRUE(parser.is_header_done());
  }
}

}  // namespace
}  // namespace freehold::http::internal
