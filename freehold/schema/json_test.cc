// SPDX-License-Identifier: Apache-2.0
#include "freehold/schema/json.h"

#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/schema/sample_order.h"

namespace freehold {
namespace {

using sample::an_order, sample::Line, sample::Order, sample::OrderPatch, sample::order_text;
using enum Strictness;
using namespace std::string_literals;

// The detail with which `text` is refused as a T; empty when it is not.
template <class T>
std::string refusal(std::string_view text, Strictness strictness) {
  const auto value = read_json<T>(text, strictness);
  if (value) return {};
  EXPECT_TRUE(value.error().is(errors::malformed));
  return std::string{value.error().detail()};
}

std::string line_with(std::string_view rest) {
  return R"({"product_id":"0190163d-8694-739b-aea5-966c26f8ad92",)" + std::string{rest} + "}";
}

std::string replaced(std::string_view part, std::string_view by) {
  std::string text{order_text};
  const auto at = text.find(part);
  EXPECT_NE(at, std::string::npos) << part;
  return text.replace(at, part.size(), by);
}

TEST(Json, a_struct_is_written_member_by_member_without_absent_ones) {
  EXPECT_EQ(to_json(an_order()), order_text);
  EXPECT_EQ(to_json(sample::Nothing{}), "{}");
  EXPECT_EQ(to_json(std::vector<int>{}), "[]");
  EXPECT_EQ(to_json(std::map<std::string, int>{}), "{}");
}

TEST(Json, writing_appends) {
  std::string out = "data: ";
  write_json(out, true);
  EXPECT_EQ(out, "data: true");
}

TEST(Json, a_struct_is_read_back) {
  EXPECT_EQ(read_json<Order>(order_text, strict).value(), an_order());
  EXPECT_TRUE(read_json<sample::Nothing>(" {} \n", strict));
}

TEST(Json, fields_may_come_in_any_order) {
  const auto line = read_json<Line>(
      R"({"note":"n","quantity":3,"product_id":"0190163d-8694-739b-aea5-966c26f8ad92"})", strict);
  EXPECT_EQ(line.value().quantity, 3);
  EXPECT_EQ(line.value().note, "n");
}

TEST(Json, an_unknown_field_is_refused_by_name_where_it_is_strict) {
  const std::string text = line_with(R"("quantity":1,"colour":{"deep":[1,{}]})");
  EXPECT_EQ(refusal<Line>(text, strict), "colour: unknown field");
  EXPECT_EQ(refusal<Line>(text, tolerant), "");
}

TEST(Json, a_field_given_twice_is_refused_where_it_is_strict) {
  const std::string text = line_with(R"("quantity":1,"quantity":2)");
  EXPECT_EQ(refusal<Line>(text, strict), "quantity: given twice");
  EXPECT_EQ(refusal<Line>(text, tolerant), "");
  EXPECT_EQ((refusal<std::map<std::string, int>>(R"({"a":1,"a":1})", strict)), "*: given twice");
}

TEST(Json, a_missing_required_field_is_refused_always) {
  EXPECT_EQ(refusal<Line>(line_with(R"("note":"")"), strict), "quantity: required");
  EXPECT_EQ(refusal<Line>(line_with(R"("note":"")"), tolerant), "quantity: required");
}

TEST(Json, a_refusal_names_the_path_and_what_is_expected_there) {
  const auto expect = [](std::string_view part, std::string_view by, std::string_view detail) {
    EXPECT_EQ(refusal<Order>(replaced(part, by), strict), detail);
  };
  expect(R"("quantity":1)", R"("quantity":"1")", "lines[1].quantity: not a whole number");
  expect(R"("quantity":1)", R"("quantity":1.0)", "lines[1].quantity: not a whole number");
  expect(R"("quantity":1)", R"("quantity":1e3)", "lines[1].quantity: not a whole number");
  expect(R"("quantity":1)", R"("quantity":2147483648)", "lines[1].quantity: out of range");
  expect("-1250", "9223372036854775808", "total.amount_minor: out of range");
  expect("-1250", "-9223372036854775809", "total.amount_minor: not a whole number");
  expect("4294967295", "4294967296", "counts.*: out of range");
  expect("4294967295", "-1", "counts.*: out of range");
  expect(R"("EUR")", "null", "total.currency: not a text");
  expect(R"("confirmed")", R"("CONFIRMED")", "status: not one of the allowed words");
  expect(R"("confirmed")", "1", "status: not a text");
  expect("true", "1", "paid: neither true nor false");
  expect("0.1", R"("0.1")", "weight_kg: not a number");
  expect("0.1", "1e999", "weight_kg: out of range");
  expect("ad93", "ad9", "lines[1].product_id: not a UUID");
  expect("2026-11-22T", "2026-11-31T", "placed_at: not a time like 2026-11-22T17:18:19.123456Z");
  expect(R"({"amount_minor":-1250,"currency":"EUR"})", "[]", "total: not an object");
  expect(R"({"a":1,"b":4294967295})", "[]", "counts: not an object");
  EXPECT_EQ(refusal<Order>("[]", strict), "not an object");
  EXPECT_EQ(refusal<std::vector<int>>("{}", strict), "not an array");
}

TEST(Json, the_nil_id_is_refused) {
  const auto text =
      line_with(R"("quantity":1)").replace(15, 36, "00000000-0000-0000-0000-000000000000");
  EXPECT_EQ(refusal<Line>(text, strict), "product_id: the nil UUID names nothing");
}

TEST(Json, writing_a_nil_id_or_a_number_that_is_not_finite_is_a_bug) {
  EXPECT_DEATH((void)to_json(Line{}), "nil id");
  EXPECT_DEATH((void)to_json(1.0 / 0.0), "not finite");
}

TEST(Json, a_refusal_repeats_no_value) {
  EXPECT_EQ(
      refusal<Order>(replaced("0190163d-8694-739b-aea5-966c26f8ad91", "alice@example.org"), strict),
      "id: not a UUID");
  const std::string long_name(1000, 'x');
  EXPECT_EQ(refusal<sample::Nothing>(R"({")" + long_name + "\\n" + R"(":1})", strict),
            std::string(64, 'x') + ": unknown field");
  EXPECT_EQ(refusal<sample::Nothing>(R"({"a\nb\"":1})", strict), "a?b?: unknown field");
}

TEST(Json, null_is_no_absent_field_where_it_is_strict) {
  const std::string text = line_with(R"("quantity":1,"note":null)");
  EXPECT_EQ(refusal<Line>(text, strict), "note: null is not allowed: leave the field out");
  EXPECT_EQ(read_json<Line>(text, tolerant).value().note, std::nullopt);
}

TEST(Json, a_nullable_field_is_absent_null_or_a_value) {
  const std::string id = R"({"id":"0190163d-8694-739b-aea5-966c26f8ad91")";
  const auto note = [&](std::string_view rest) {
    const std::string text = id + std::string{rest} + "}";
    const auto patch = read_json<OrderPatch>(text, strict);
    EXPECT_EQ(to_json(*patch), text);
    return patch->note;
  };
  EXPECT_TRUE(note("").is_absent());
  EXPECT_TRUE(note(R"(,"note":null)").is_null());
  EXPECT_EQ(note(R"(,"note":"x")").value(), "x");
  EXPECT_EQ(refusal<OrderPatch>(id + R"(,"note":1})", strict), "note: not a text");
}

TEST(Json, text_is_escaped_only_where_it_must_be) {
  const std::string text = "\"\\/\b\f\n\r\t\x01\x1f\x7f\0 ü€😀"s;
  const std::string written = to_json(text);
  EXPECT_EQ(written, "\"\\\"\\\\/\\u0008\\u000c\\n\\r\\t\\u0001\\u001f\x7f\\u0000 ü€😀\"");
  EXPECT_EQ(read_json<std::string>(written, strict).value(), text);
  EXPECT_EQ(read_json<std::string>(R"("\ud83d\ude00\u20ac\/")", strict).value(), "😀€/");
}

TEST(Json, a_character_is_escaped_wherever_it_stands) {
  for (const std::string_view beside : {"a", "\x20", "\x7f", "\x80", "\xff", "#", "!", "[", "]"}) {
    for (std::size_t length = 0; length < 20; ++length) {
      std::string text;
      for (std::size_t i = 0; i < length; ++i) text += beside;
      EXPECT_EQ(to_json(text), '"' + text + '"');
      for (std::size_t at = 0; at < length; ++at) {
        for (const char c : {'"', '\\', '\n', '\x1f', '\0'}) {
          std::string escaped = text;
          escaped[at] = c;
          const std::string of_it = to_json(std::string(1, c));
          EXPECT_EQ(to_json(escaped), '"' + text.substr(0, at) + of_it.substr(1, of_it.size() - 2) +
                                          text.substr(at + 1) + '"');
        }
      }
    }
  }
}

TEST(Json, long_texts_with_escapes_are_put_together_from_their_pieces) {
  std::string text;
  for (int i = 0; i < 20'000; ++i) text += i % 7 == 0 ? "\n" : "ab";
  const std::map<std::string, std::string> map{{text, text}};
  EXPECT_EQ((read_json<std::map<std::string, std::string>>(to_json(map), strict).value()), map);
}

TEST(Json, numbers_keep_their_value_to_the_last_bit) {
  for (const double value : {0.1, 1e-7, 5e-324, 1.7976931348623157e308, 123456789.123456789, -0.0})
    EXPECT_EQ(read_json<double>(to_json(value), strict).value(), value);
  for (const std::int64_t value : {std::int64_t{0}, INT64_MIN, INT64_MAX})
    EXPECT_EQ(read_json<std::int64_t>(to_json(value), strict).value(), value);
  EXPECT_EQ(read_json<std::uint64_t>(to_json(UINT64_MAX), strict).value(), UINT64_MAX);
  EXPECT_EQ(read_json<std::uint64_t>("-0", strict).value(), 0U);
}

TEST(Json, raw_json_is_carried_as_it_is) {
  const std::string text = R"({"a":[1.50,1e2,-0,true,null,"ü\n\"",{}],"b":[],"n":123456789012345})";
  const auto raw = read_json<RawJson>(text, strict);
  EXPECT_EQ(raw->text, text);
  EXPECT_EQ(to_json(*raw), text);
}

TEST(Json, members_that_came_from_elsewhere_are_unknown_to_the_body) {
  const std::vector<std::string_view> given{"id"};
  OrderPatch patch{};
  ASSERT_TRUE(set_member(patch, "id", "0190163d-8694-739b-aea5-966c26f8ad91"));
  ASSERT_TRUE(read_json_members(patch, R"({"quantity":4})", strict, given));
  EXPECT_FALSE(patch.id.is_nil());
  EXPECT_EQ(patch.quantity, 4);
  const auto twice =
      read_json_members(patch, R"({"id":"0190163d-8694-739b-aea5-966c26f8ad92"})", strict, given);
  EXPECT_EQ(twice.error().detail(), "id: unknown field");
}

TEST(Json, parameters_are_set_by_name) {
  OrderPatch patch{};
  EXPECT_TRUE(set_member(patch, "quantity", "12"));
  EXPECT_EQ(patch.quantity, 12);
  EXPECT_EQ(set_member(patch, "quantity", "12x").error().detail(), "quantity: not a whole number");
  EXPECT_EQ(set_member(patch, "quantity", "").error().detail(), "quantity: not a whole number");
  EXPECT_EQ(set_member(patch, "id", "alice").error().detail(), "id: not a UUID");
  EXPECT_EQ(set_member(patch, "colour", "red").error().detail(), "unknown parameter");
  EXPECT_EQ(require_members<OrderPatch>({}).error().detail(), "id: required");
  EXPECT_TRUE(require_members<OrderPatch>(std::vector<std::string_view>{"id"}));
}

TEST(Json, plain_text_becomes_a_scalar) {
  EXPECT_TRUE(from_text<bool>("true").value());
  EXPECT_FALSE(from_text<bool>("1"));
  EXPECT_EQ(from_text<std::int64_t>("-5").value(), -5);
  EXPECT_FALSE(from_text<int>("+5"));
  EXPECT_FALSE(from_text<int>(" 5"));
  EXPECT_FALSE(from_text<std::uint32_t>("-5"));
  EXPECT_EQ(from_text<double>("0.5").value(), 0.5);
  EXPECT_FALSE(from_text<double>("inf"));
  EXPECT_FALSE(from_text<double>("nan"));
  EXPECT_EQ(from_text<sample::Status>("pending").value(), sample::Status::pending);
  EXPECT_FALSE(from_text<sample::Status>("gone"));
  EXPECT_FALSE(from_text<sample::OrderId>("00000000-0000-0000-0000-000000000000"));
  EXPECT_EQ(from_text<Time>("1970-01-01T00:00:01Z")->time_since_epoch().count(), 1'000'000);
  EXPECT_EQ(from_text<std::string>("ü€😀").value(), "ü€😀");
  for (const char* text : {"\xff", "\xc0\x80", "\xc3", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                           "\xe2\x82", "\xf0\x8f\xbf\xbf", "\x80"})
    EXPECT_FALSE(from_text<std::string>(text)) << text;
}

}  // namespace
}  // namespace freehold
