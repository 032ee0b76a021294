// SPDX-License-Identifier: Apache-2.0
//
// Properties of all structs, on orders made at random. A failure prints its seed; RC_PARAMS replays
// it.
#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <cmath>

#include "freehold/schema/json.h"
#include "freehold/schema/memory_row.h"
#include "freehold/schema/sample_order.h"

namespace {

// Appends a code point in UTF-8.
void append_utf8(std::string& out, std::uint32_t code) {
  const auto tail = [&](unsigned shift) {
    out += static_cast<char>(0x80U | ((code >> shift) & 0x3fU));
  };
  if (code < 0x80) {
    out += static_cast<char>(code);
  } else if (code < 0x800) {
    out += static_cast<char>(0xc0U | (code >> 6U));
    tail(0);
  } else if (code < 0x10000) {
    out += static_cast<char>(0xe0U | (code >> 12U));
    tail(6), tail(0);
  } else {
    out += static_cast<char>(0xf0U | (code >> 18U));
    tail(12), tail(6), tail(0);
  }
}

rc::Gen<std::string> any_text() {
  const auto code = rc::gen::suchThat(rc::gen::oneOf(rc::gen::inRange<std::uint32_t>(0, 0x80),
                                                     rc::gen::inRange<std::uint32_t>(0, 0x110000)),
                                      [](std::uint32_t c) { return c < 0xd800 || c > 0xdfff; });
  return rc::gen::map(rc::gen::container<std::vector<std::uint32_t>>(code),
                      [](const std::vector<std::uint32_t>& codes) {
                        std::string text;
                        for (const std::uint32_t c : codes) append_utf8(text, c);
                        return text;
                      });
}

template <class Id>
rc::Gen<Id> any_id() {
  return rc::gen::map(
      rc::gen::suchThat(
          rc::gen::container<freehold::IdBytes>(rc::gen::arbitrary<std::uint8_t>()),
          [](const freehold::IdBytes& bytes) { return bytes != freehold::IdBytes{}; }),
      [](const freehold::IdBytes& bytes) { return Id{{bytes}}; });
}

rc::Gen<double> any_finite() {
  return rc::gen::map(rc::gen::arbitrary<std::uint64_t>(), [](std::uint64_t bits) {
    const auto value = std::bit_cast<double>(bits);
    return std::isfinite(value) ? value : 0.25;
  });
}

}  // namespace

namespace rc {

template <>
struct Arbitrary<freehold::Time> {
  static Gen<freehold::Time> arbitrary() {  // years 0 to 9999: what RFC 3339 can say
    return gen::map(gen::inRange<std::int64_t>(-62167219200000000, 253402300800000000),
                    [](std::int64_t t) { return freehold::Time{std::chrono::microseconds{t}}; });
  }
};

template <class T>
struct Arbitrary<std::optional<T>> {
  static Gen<std::optional<T>> arbitrary() {
    return gen::oneOf(gen::just(std::optional<T>{}),
                      gen::map(gen::arbitrary<T>(), [](T v) { return std::optional<T>{v}; }));
  }
};

template <>
struct Arbitrary<sample::Status> {
  static Gen<sample::Status> arbitrary() {
    using enum sample::Status;
    return gen::element(pending, confirmed, rejected);
  }
};

template <>
struct Arbitrary<sample::Money> {
  static Gen<sample::Money> arbitrary() {
    return gen::build<sample::Money>(gen::set(&sample::Money::amount_minor),
                                     gen::set(&sample::Money::currency, any_text()));
  }
};

template <>
struct Arbitrary<sample::Line> {
  static Gen<sample::Line> arbitrary() {
    const auto note =
        gen::oneOf(gen::just(std::optional<std::string>{}),
                   gen::map(any_text(), [](const std::string& t) { return std::optional{t}; }));
    return gen::build<sample::Line>(
        gen::set(&sample::Line::product_id, any_id<sample::ProductId>()),
        gen::set(&sample::Line::quantity), gen::set(&sample::Line::note, note));
  }
};

template <>
struct Arbitrary<sample::Order> {
  static Gen<sample::Order> arbitrary() {
    using sample::Order;
    return gen::build<Order>(
        gen::set(&Order::id, any_id<sample::OrderId>()), gen::set(&Order::status),
        gen::set(&Order::total), gen::set(&Order::lines),
        gen::set(&Order::counts, gen::container<std::map<std::string, std::uint32_t>>(
                                     any_text(), gen::arbitrary<std::uint32_t>())),
        gen::set(&Order::placed_at), gen::set(&Order::closed_at), gen::set(&Order::paid),
        gen::set(&Order::weight_kg, any_finite()), gen::set(&Order::refund),
        gen::set(&Order::wish));
  }
};

}  // namespace rc

namespace freehold {
namespace {

using sample::Order;

RC_GTEST_PROP(RoundTrip, an_order_is_read_from_its_json_as_it_was, ()) {
  const Order order = *rc::gen::arbitrary<Order>();
  const std::string text = to_json(order);
  RC_ASSERT(read_json<Order>(text, Strictness::strict).value() == order);
  RC_ASSERT(read_json<RawJson>(text, Strictness::strict).value().text == text);
}

RC_GTEST_PROP(RoundTrip, an_order_is_read_from_its_row_as_it_was, ()) {
  const Order order = *rc::gen::arbitrary<Order>();
  MemoryRow row;
  const int end = bind_row(row, 1, order);
  RC_ASSERT(static_cast<std::size_t>(end) == columns<Order>().size() + 1);
  std::vector<int> places;
  for (int column = 0; column < end - 1; ++column) places.push_back(column);
  RC_ASSERT(read_row<Order>(row, places) == order);
}

RC_GTEST_PROP(RoundTrip, a_text_that_is_read_is_written_as_a_text_that_is_read, ()) {
  const std::string noise = *rc::gen::container<std::string>(
      rc::gen::elementOf(std::string{"{}[]\",:0123456789.eE+-truefalsn\\ /\x01\xc3\xa4"}));
  if (const auto raw = read_json<RawJson>(noise, Strictness::tolerant))
    RC_ASSERT(read_json<RawJson>(raw->text, Strictness::strict).value() == *raw);
}

}  // namespace
}  // namespace freehold
