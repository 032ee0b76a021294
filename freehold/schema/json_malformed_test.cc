// SPDX-License-Identifier: Apache-2.0
//
// Texts that are not JSON (RFC 8259), after the y_ and n_ cases of Seriot's "Parsing JSON is a
// Minefield", and those that are and must be read.
#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/schema/json.h"
#include "freehold/schema/sample_order.h"

namespace freehold {
namespace {

using namespace std::string_view_literals;
using enum Strictness;

TEST(MalformedJson, is_refused_and_says_where) {
  for (const std::string_view text : {""sv,
                                      " "sv,
                                      "nul"sv,
                                      "True"sv,
                                      "NaN"sv,
                                      "Infinity"sv,
                                      "-"sv,
                                      "+1"sv,
                                      "01"sv,
                                      "1."sv,
                                      ".5"sv,
                                      "1e"sv,
                                      "0x10"sv,
                                      "1 2"sv,
                                      "{}{}"sv,
                                      "{} x"sv,
                                      "["sv,
                                      "]"sv,
                                      "[1,]"sv,
                                      "[,1]"sv,
                                      "[1 2]"sv,
                                      "{"sv,
                                      "}"sv,
                                      R"({"a"})"sv,
                                      R"({"a":})"sv,
                                      R"({"a":1,})"sv,
                                      R"({a:1})"sv,
                                      R"({1:1})"sv,
                                      "{'a':1}"sv,
                                      R"({"a":1)"sv,
                                      R"("a)"sv,
                                      R"("\x")"sv,
                                      R"("\u12")"sv,
                                      R"("\ud800")"sv,
                                      R"("\udc00")"sv,
                                      "\"\n\""sv,
                                      "\"\0\""sv,
                                      "\"\x1f\""sv,
                                      "// c\n1"sv,
                                      "/* c */1"sv,
                                      "\xEF\xBB\xBF{}"sv,
                                      "\"\xff\""sv,
                                      "\"\xc0\x80\""sv,
                                      "\"\xed\xa0\x80\""sv,
                                      "\"\xf4\x90\x80\x80\""sv,
                                      "\"\xe2\x82\""sv,
                                      "{\"\xff\":1}"sv,
                                      "[\"a\x00b\"]"sv,
                                      "1\0"sv,
                                      "[1]\0"sv}) {
    const auto value = read_json<RawJson>(text, tolerant);
    ASSERT_FALSE(value) << "read: " << text;
    EXPECT_TRUE(value.error().is(errors::malformed));
    EXPECT_TRUE(value.error().detail().starts_with("not JSON: ")) << value.error().detail();
  }
}

TEST(MalformedJson, is_not_what_only_looks_odd) {
  for (const std::string_view text :
       {"0"sv, "-0"sv, "1E+2"sv, "\t[ ]\r\n"sv, R"({"":0})"sv, R"("\u0000")"sv, "\"\x7f\""sv,
        R"("\ud83d\ude00")"sv, "\"\xf4\x8f\xbf\xbf\""sv, "[[],{}]"sv})
    EXPECT_TRUE(read_json<RawJson>(text, strict)) << text;
}

TEST(MalformedJson, every_beginning_of_a_text_is_refused_without_harm) {
  for (std::size_t size = 0; size < sample::order_text.size(); ++size) {
    // A copy of the exact size: the address sanitizer sees what reads beyond it.
    const std::vector<char> beginning(sample::order_text.begin(),
                                      sample::order_text.begin() + static_cast<long>(size));
    const std::string_view text{beginning.data(), beginning.size()};
    EXPECT_FALSE(read_json<sample::Order>(text, strict)) << text;
  }
}

TEST(MalformedJson, every_changed_byte_is_read_or_refused_without_harm) {
  std::string text{sample::order_text};
  for (char& c : text)
    for (const char other : {'"', '\\', '{', '}', '[', ']', ',', ':', '0', '-', '\0', '\xff'}) {
      const char kept = std::exchange(c, other);
      if (const auto order = read_json<sample::Order>(text, strict))
        EXPECT_EQ(read_json<sample::Order>(to_json(*order), strict).value(), *order);
      c = kept;
    }
}

TEST(MalformedJson, nesting_is_bounded) {
  const auto nested = [](std::size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(read_json<RawJson>(nested(32), strict));
  for (const std::size_t depth : {33U, 1'000'000U}) {
    const auto value = read_json<RawJson>(nested(depth), strict);
    ASSERT_FALSE(value);
    EXPECT_EQ(value.error().detail(), "nested too deeply");
  }
  std::string objects;
  for (int i = 0; i < 100'000; ++i) objects += R"({"a":)";
  EXPECT_EQ(read_json<RawJson>(objects, strict).error().detail(), "nested too deeply");
}

}  // namespace
}  // namespace freehold
