// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/id.h"

#include <gtest/gtest.h>

#include <functional>
#include <set>

namespace freehold {
namespace {

struct AppleId : Id<AppleId> {};
struct PearId : Id<PearId> {};

static_assert(IdType<AppleId>);
static_assert(!std::convertible_to<AppleId, PearId>);

TEST(Id, is_a_uuid_of_version_7_that_reads_back) {
  const AppleId id = AppleId::make();
  const std::string text = id.text();
  ASSERT_EQ(text.size(), 36U);
  EXPECT_EQ(text[14], '7');
  EXPECT_EQ(AppleId::from_text(text).value(), id);
}

TEST(Id, every_byte_reads_back_in_either_case) {
  for (unsigned first = 0; first < 256; first += 16) {
    AppleId id;
    for (unsigned i = 0; i < 16; ++i) id.bytes[i] = static_cast<std::uint8_t>(first + i);
    std::string text = id.text();
    EXPECT_EQ(AppleId::from_text(text).value(), id);
    for (char& c : text)
      if (c >= 'a') c = static_cast<char>(c - 'a' + 'A');
    EXPECT_EQ(AppleId::from_text(text).value(), id);
  }
  EXPECT_EQ(to_text(IdBytes{0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef}),
            "01234567-89ab-cdef-0000-000000000000");
}

TEST(Id, later_ids_order_after_earlier_ones) {
  AppleId before = AppleId::make();
  for (int i = 0; i < 100; ++i) {
    const auto tick = before.bytes;
    AppleId next = AppleId::make();
    while (std::equal(tick.begin(), tick.begin() + 8, next.bytes.begin())) next = AppleId::make();
    EXPECT_LT(before, next);
    before = next;
  }
}

TEST(Id, the_remainders_of_hashes_are_spread_evenly) {
  constexpr std::size_t places = 1024;
  std::set<std::size_t> taken;
  for (std::size_t i = 0; i < 8 * places; ++i)
    taken.insert(std::hash<AppleId>{}(AppleId::make()) % places);
  EXPECT_GT(taken.size(), places * 9 / 10);  // each is left out with a chance of e^-8
}

TEST(Id, malformed_text_is_refused) {
  for (const char* text :
       {"", "0190-", "g190163d-8694-739b-aea5-966c26f8ad91",
        "0190163d-8694-739b-aea5-966c26f8ad911", "0190163d08694-739b-aea5-966c26f8ad91"})
    EXPECT_FALSE(AppleId::from_text(text)) << text;
}

TEST(Id, a_default_made_id_is_nil) {
  EXPECT_TRUE(AppleId{}.is_nil());
  EXPECT_FALSE(AppleId::make().is_nil());
}

}  // namespace
}  // namespace freehold
