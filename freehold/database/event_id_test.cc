// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <limits>

#include "freehold/base/errors.h"
#include "freehold/database/books.h"

namespace freehold {
namespace {

TEST(EventId, has_the_text_of_its_three_parts) {
  EXPECT_EQ((EventId{0, 42, 0x9f86d081884c7d65}).text(), "00-0000000000000000042-9f86d081884c7d65");
  EXPECT_EQ(EventId{}.text(), "00-0000000000000000000-0000000000000000");
}

TEST(EventId, comes_back_from_its_text) {
  constexpr std::uint64_t longest = 9'999'999'999'999'999'999U;
  for (const EventId& id : {EventId{}, EventId{7, 42, 1}, EventId{99, longest, ~std::uint64_t{}}})
    EXPECT_EQ(EventId::from_text(id.text()).value(), id);
}

TEST(EventId, orders_as_text_as_the_log_does) {
  EXPECT_LT((EventId{0, 9, 99}).text(), (EventId{0, 10, 1}).text());
  EXPECT_LT((EventId{1, 99, 1}).text(), (EventId{2, 1, 1}).text());
}

TEST(EventId, is_refused_in_any_other_form) {
  for (const char* text :
       {"", "0-0000000000000000042-9f86d081884c7d65", "00-0000000000000000042-9f86d081884c7d6",
        "00-0000000000000000042-9f86d081884c7d65 ", "00_0000000000000000042-9f86d081884c7d65",
        "00-0000000000000000042_9f86d081884c7d65", "00--000000000000000042-9f86d081884c7d65",
        "00-+000000000000000042-9f86d081884c7d65", "00-0000000000000000042-9F86D081884C7D65",
        "00-0000000000000000042-0x86d081884c7d65", "-1-0000000000000000042-9f86d081884c7d65",
        "00-000000000000000004a-9f86d081884c7d65", "0a-0000000000000000042-9f86d081884c7d65"}) {
    const auto id = EventId::from_text(text);
    ASSERT_FALSE(id) << text;
    EXPECT_TRUE(id.error().is(errors::malformed)) << text;
  }
}

TEST(EventType, has_the_family_of_all_its_versions) {
  EXPECT_EQ(family_of("product.state.v1"), "product.state");
  EXPECT_EQ(family_of("product.state.v12"), "product.state");
  for (const char* type : {"product.state", "product.v", "product.v1a", "product.version", ""})
    EXPECT_EQ(family_of(type), type);
}

}  // namespace
}  // namespace freehold
