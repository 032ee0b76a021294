// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/secret.h"

#include <gtest/gtest.h>

#include <set>

#include "freehold/base/random.h"
#include "freehold/identity/base64url.h"

namespace freehold::identity {
namespace {

std::span<const std::uint8_t> bytes_of(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

TEST(Base64url, is_that_of_the_example_in_rfc_7515) {
  const std::string bytes{"\x03\xec\xff\xe0\xc1", 5};
  EXPECT_EQ(to_base64url(bytes_of(bytes)), "A-z_4ME");
  EXPECT_EQ(from_base64url("A-z_4ME").value(), bytes);
}

TEST(Base64url, every_length_reads_back) {
  std::string bytes;
  for (int size = 0; size < 70; ++size) {
    EXPECT_EQ(from_base64url(to_base64url(bytes_of(bytes))).value(), bytes);
    bytes += static_cast<char>(size * 37);
  }
}

TEST(Base64url, a_second_spelling_of_the_same_bytes_is_refused) {
  for (const char* text : {"A", "A-z_4MF", "A-z_4ME=", "A+z/4ME", "A-z 4ME", "A-z_4", "AAAAA"})
    EXPECT_FALSE(from_base64url(text)) << text;
}

TEST(Secret, has_256_random_bits_as_text) {
  std::set<std::string> secrets;
  for (int i = 0; i < 100; ++i) {
    const std::string secret = make_secret();
    EXPECT_EQ(secret.size(), 43U);
    EXPECT_EQ(from_base64url(secret).value().size(), 32U);
    EXPECT_TRUE(secrets.insert(secret).second);
  }
}

TEST(Secret, comes_through_the_random_door) {
  SeededRandom one{7}, same{7};
  Random::install(&one);
  const std::string first = make_secret();
  Random::install(&same);
  EXPECT_EQ(make_secret(), first);
  Random::install(nullptr);
  EXPECT_NE(make_secret(), first);
}

TEST(Secret, is_stored_as_its_sha_256) {
  // FIPS 180-2, B.1
  EXPECT_EQ(from_base64url(sha256_text("abc")).value(),
            std::string("\xba\x78\x16\xbf\x8f\x01\xcf\xea\x41\x41\x40\xde\x5d\xae\x22\x23"
                        "\xb0\x03\x61\xa3\x96\x17\x7a\x9c\xb4\x10\xff\x61\xf2\x00\x15\xad",
                        32));
}

TEST(Secret, is_compared_to_its_end) {
  EXPECT_TRUE(same_secret("", ""));
  EXPECT_TRUE(same_secret("a secret", "a secret"));
  EXPECT_FALSE(same_secret("a secret", "a secreT"));
  EXPECT_FALSE(same_secret("a secret", "A secret"));
  EXPECT_FALSE(same_secret("a secret", "a secre"));
  EXPECT_FALSE(same_secret("a secre", "a secret"));
}

}  // namespace
}  // namespace freehold::identity
