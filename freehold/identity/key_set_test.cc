// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/key_set.h"

#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/identity/internal/test_keys.h"

namespace freehold::identity {
namespace {

std::string with_members(std::string_view members) {
  return R"({"keys":[{"crv":"P-256","x":")" + internal::example_x + R"(","y":")" +
         internal::example_y + "\"" + std::string{members} + "}]}";
}

TEST(KeySet, is_written_as_a_jwk_set) {
  KeySet keys;
  EXPECT_EQ(keys.jwks(), R"({"keys":[]})");
  keys.add(VerifyingKey::from_pem(internal::example_public_pem).value());
  EXPECT_EQ(keys.jwks(), R"({"keys":[{"kty":"EC","use":"sig","alg":"ES256","kid":")" +
                             internal::example_kid + R"(","crv":"P-256","x":")" +
                             internal::example_x + R"(","y":")" + internal::example_y + "\"}]}");
}

TEST(KeySet, reads_back_what_it_wrote) {
  KeySet keys;
  keys.add(SigningKey::generate().verifying_key());
  keys.add(SigningKey::generate().verifying_key());
  keys.add("of another issuer", SigningKey::generate().verifying_key());
  EXPECT_EQ(KeySet::from_jwks(keys.jwks()).value(), keys);
}

TEST(KeySet, the_public_keys_of_rfc_7517_are_read_and_those_not_for_signing_ignored) {
  // RFC 7517, A.1, with the modulus of the RSA key cut short. Its EC key is for encryption.
  const std::string text = R"({"keys":
    [{"kty":"EC", "crv":"P-256",
      "x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
      "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM",
      "use":"enc", "kid":"1"},
     {"kty":"RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx",
      "e":"AQAB", "alg":"RS256", "kid":"2011-04-29"}]})";
  EXPECT_EQ(KeySet::from_jwks(text).value().size(), 0U);

  std::string for_signing = text;
  for_signing.replace(for_signing.find("enc"), 3, "sig");
  const auto keys = KeySet::from_jwks(for_signing).value();
  EXPECT_EQ(keys.size(), 1U);
  ASSERT_TRUE(keys.find("1"));
  EXPECT_EQ(keys.find("1")->x(), "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4");
}

TEST(KeySet, unknown_members_are_ignored_and_a_missing_kid_is_the_thumbprint) {
  const auto keys =
      KeySet::from_jwks(with_members(R"(,"kty":"EC","key_ops":["verify"],"x5c":[{"a":null}])"));
  EXPECT_TRUE(keys.value().find(internal::example_kid));
}

TEST(KeySet, a_key_that_cannot_verify_es256_is_ignored) {
  EXPECT_EQ(KeySet::from_jwks(with_members(R"(,"kty":"EC")")).value().size(), 1U);
  for (const char* members : {"", R"(,"kty":"oct")", R"(,"kty":5)", R"(,"kty":"EC","use":"enc")",
                              R"(,"kty":"EC","alg":"ES384")", R"(,"kty":"EC","kid":7)"})
    EXPECT_EQ(KeySet::from_jwks(with_members(members)).value().size(), 0U) << members;
  EXPECT_EQ(KeySet::from_jwks(R"({"keys":[7,null,{"kty":"EC","crv":"P-384"},
                                          {"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]})")
                .value()
                .size(),
            0U);
}

TEST(KeySet, what_is_no_jwk_set_is_refused) {
  for (const char* text : {"", "{}", "[]", R"({"keys":{}})", R"({"keys":[)", "<html>"})
    EXPECT_TRUE(KeySet::from_jwks(text).error().is(errors::malformed)) << text;
  EXPECT_FALSE(KeySet::from_jwks(R"({"keys":[]})" + std::string(64 * 1024, ' ')));
  std::string many = R"({"keys":[1)";
  for (int i = 0; i < 64; ++i) many += ",1";
  EXPECT_FALSE(KeySet::from_jwks(many + "]}"));
}

}  // namespace
}  // namespace freehold::identity
