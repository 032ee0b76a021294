// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/token.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/identity/internal/test_keys.h"
#include "freehold/identity/internal/test_surroundings.h"
#include "freehold/identity/internal/test_tokens.h"

namespace freehold::identity {
namespace {

using internal::forged, internal::forged_by_hmac;
using std::chrono::seconds;
using testing::HasSubstr;

constexpr Expected at_the_shop{.issuer = "user", .audience = "shop"};

class TokenTest : public testing::Test {
 protected:
  TokenTest() { keys_.add(key_.verifying_key()); }

  Claims claims() const {
    return {.issuer = "user",
            .subject = "0190163d-8694-739b-aea5-966c26f8ad91",
            .audience = "shop",
            .roles = {"customer", "admin"},
            .issued_at = now(),
            .expires_at = now() + seconds{600},
            .id = "7"};
  }
  std::string header(std::string_view alg = "ES256") const {
    return R"({"alg":")" + std::string{alg} + R"(","kid":")" + key_.kid() + R"(","typ":"JWT"})";
  }
  // Why the token is refused; the test fails when it is taken.
  std::string refusal(const std::string& token, const Expected& expected = at_the_shop) const {
    const auto outcome = verify(token, keys_, expected);
    if (outcome) return "it was taken";
    EXPECT_TRUE(outcome.error().is(errors::unauthenticated)) << outcome.error().text();
    return std::string{outcome.error().detail()};
  }

  internal::StandingClock clock_;
  SigningKey key_ = internal::example_key();
  KeySet keys_;
  const std::string good_claims_ =
      R"({"iss":"user","sub":"s","aud":"shop","iat":1795363200,"exp":1795363800})";
};

TEST_F(TokenTest, says_what_was_signed) {
  EXPECT_EQ(verify(sign(claims(), key_), keys_, at_the_shop).value(), claims());
}

TEST_F(TokenTest, without_roles_and_id_has_none) {
  Claims bare = claims();
  bare.roles.clear();
  bare.id.clear();
  EXPECT_EQ(verify(sign(bare, key_), keys_, at_the_shop).value(), bare);
  EXPECT_TRUE(verify(forged(header(), good_claims_, key_), keys_, at_the_shop));
}

TEST_F(TokenTest, of_another_implementation_is_understood) {
  // PyJWT 2.6.0: jwt.encode({…, "extra": {"a": 1}}, the key of RFC 7515 A.3, "ES256")
  const std::string token =
      "eyJhbGciOiJFUzI1NiIsImtpZCI6Im9LSXl3dkdVcFRWVHl4TVEzYndJSWVRVXVkZnJfQ2tMTWpDRTE5RUNELVUiLCJ0"
      "eXAiOiJKV1QifQ.eyJpc3MiOiJ1c2VyIiwic3ViIjoiMDE5MDE2M2QtODY5NC03MzliLWFlYTUtOTY2YzI2ZjhhZDkx"
      "IiwiYXVkIjoic2hvcCIsInJvbGVzIjpbImN1c3RvbWVyIl0sImlhdCI6MTc5NTM2MzIwMCwiZXhwIjoxNzk1MzYzODAw"
      "LCJqdGkiOiI3IiwiZXh0cmEiOnsiYSI6MX19.kIH2lfihTUvdVSTFiFiZvh0Avrvdsxia8omzI09b5oUq9l_ofczAevY"
      "jhbfgAd5kZZVNS9qWm4rv4SyogUVatQ";
  Claims expected = claims();
  expected.roles = {"customer"};
  EXPECT_EQ(verify(token, keys_, at_the_shop).value(), expected);
}

TEST_F(TokenTest, of_rfc_7515_names_no_key_and_is_refused) {
  EXPECT_THAT(refusal("eyJhbGciOiJFUzI1NiJ9"
                      ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt"
                      "cGxlLmNvbS9pc19yb290Ijp0cnVlfQ"
                      ".DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSA"
                      "pmWQxfKTUJqPP3-Kg6NU1Q"),
              HasSubstr("kid"));
}

TEST_F(TokenTest, with_any_character_changed_is_refused) {
  const std::string token = sign(claims(), key_);
  for (std::size_t i = 0; i + 1 < token.size(); ++i) {  // the last one has bits that say nothing
    std::string tampered = token;
    tampered[i] = tampered[i] == 'A' ? 'B' : 'A';
    EXPECT_NE(refusal(tampered), "it was taken") << "character " << i;
  }
}

TEST_F(TokenTest, with_the_claims_of_another_is_refused) {
  Claims admin = claims();
  admin.subject = "somebody else";
  const std::string token = sign(claims(), key_), other = sign(admin, key_);
  const auto signature = token.rfind('.'), other_signature = other.rfind('.');
  EXPECT_EQ(refusal(other.substr(0, other_signature) + token.substr(signature)),
            "its signature is wrong");
}

TEST_F(TokenTest, with_the_kid_of_a_known_key_but_signed_by_another_is_refused) {
  EXPECT_EQ(refusal(forged(header(), good_claims_, SigningKey::generate())),
            "its signature is wrong");
}

TEST_F(TokenTest, with_a_signature_of_zeros_is_refused) {
  const std::string token = sign(claims(), key_);
  EXPECT_EQ(refusal(token.substr(0, token.rfind('.') + 1) + std::string(86, 'A')),
            "its signature is wrong");
}

TEST_F(TokenTest, that_asks_for_no_algorithm_is_refused) {
  const std::string none =
      internal::base64url_of(header("none")) + '.' + internal::base64url_of(good_claims_) + '.';
  EXPECT_EQ(refusal(none), "it is no signed token");
  EXPECT_EQ(refusal(none + std::string(86, 'A')), "it is not signed with ES256");
  for (const char* alg : {"None", "NONE"})
    EXPECT_EQ(refusal(forged(header(alg), good_claims_, key_)), "it is not signed with ES256");
}

TEST_F(TokenTest, that_takes_the_public_key_for_an_hmac_secret_is_refused) {
  // With the length of a real HS256 signature, and filled up to that of an ES256 one.
  const std::string forgery =
      forged_by_hmac(header("HS256"), good_claims_, key_.verifying_key().pem());
  EXPECT_EQ(refusal(forgery), "it is no signed token");
  const std::string as_long = forgery + std::string(86 - 43, 'A');
  EXPECT_EQ(refusal(as_long), "it is not signed with ES256");
  EXPECT_EQ(refusal(forged_by_hmac(header("HS512"), good_claims_, key_.verifying_key().pem()) +
                    std::string(86 - 43, 'A')),
            "it is not signed with ES256");
}

TEST_F(TokenTest, with_another_spelling_of_the_algorithm_is_refused) {
  for (const char* alg : {"", "es256", "ES256 ", "ES384", "RS256", "PS256"})
    EXPECT_NE(refusal(forged(header(alg), good_claims_, key_)), "it was taken") << alg;
}

TEST_F(TokenTest, with_critical_extensions_is_refused) {
  const std::string critical =
      R"({"alg":"ES256","crit":["b64"],"b64":false,"kid":")" + key_.kid() + "\"}";
  EXPECT_EQ(refusal(forged(critical, good_claims_, key_)), "its header has critical extensions");
}

TEST_F(TokenTest, of_an_unknown_key_is_refused) {
  EXPECT_EQ(refusal(sign(claims(), SigningKey::generate())),
            "it is signed with a key that is not known");
}

TEST_F(TokenTest, for_another_audience_or_of_another_issuer_is_refused) {
  const std::string token = sign(claims(), key_);
  EXPECT_EQ(refusal(token, {.issuer = "user", .audience = "bank"}),
            "it is made for another audience");
  EXPECT_EQ(refusal(token, {.issuer = "bank", .audience = "shop"}), "it comes from another issuer");
  EXPECT_NE(refusal(token, {.issuer = "user", .audience = ""}), "it was taken");
}

TEST_F(TokenTest, is_taken_until_the_skew_after_its_end_and_not_a_second_longer) {
  const std::string token = sign(claims(), key_);
  clock_.pass(seconds{629});
  EXPECT_TRUE(verify(token, keys_, at_the_shop));
  clock_.pass(seconds{1});
  EXPECT_EQ(refusal(token), "it has expired");
}

TEST_F(TokenTest, that_is_good_for_longer_than_is_expected_is_refused) {
  Claims long_lived = claims();
  long_lived.expires_at = now() + seconds{3600};
  EXPECT_TRUE(verify(sign(long_lived, key_), keys_, at_the_shop));
  long_lived.expires_at = now() + seconds{3601};
  EXPECT_EQ(refusal(sign(long_lived, key_)), "it is good for too long");
  long_lived.issued_at = now() - seconds{3600};
  long_lived.expires_at = now() + seconds{60};
  EXPECT_EQ(refusal(sign(long_lived, key_)), "it is good for too long");
}

TEST_F(TokenTest, from_the_future_is_taken_within_the_skew_alone) {
  Claims ahead = claims();
  ahead.issued_at = now() + clock_skew_max;
  EXPECT_TRUE(verify(sign(ahead, key_), keys_, at_the_shop));
  ahead.issued_at += seconds{1};
  EXPECT_EQ(refusal(sign(ahead, key_)), "it is issued in the future");
}

TEST_F(TokenTest, is_not_taken_before_it_is_in_force) {
  const auto not_before = [&](int seconds_ahead) {
    return forged(
        header(),
        R"({"iss":"user","sub":"s","aud":"shop","iat":1795363200,"exp":1795363800,"nbf":)" +
            std::to_string(1'795'363'200 + seconds_ahead) + "}",
        key_);
  };
  EXPECT_TRUE(verify(not_before(30), keys_, at_the_shop));
  EXPECT_EQ(refusal(not_before(31)), "it is not in force yet");
}

TEST_F(TokenTest, without_a_claim_that_must_be_there_is_refused) {
  for (const char* claims : {R"({"sub":"s","aud":"shop","iat":1795363200,"exp":1795363800})",
                             R"({"iss":"user","aud":"shop","iat":1795363200,"exp":1795363800})",
                             R"({"iss":"user","sub":"s","iat":1795363200,"exp":1795363800})",
                             R"({"iss":"user","sub":"s","aud":"shop","exp":1795363800})",
                             R"({"iss":"user","sub":"s","aud":"shop","iat":1795363200})"})
    EXPECT_THAT(refusal(forged(header(), claims, key_)), HasSubstr("its claims")) << claims;
}

TEST_F(TokenTest, with_claims_of_the_wrong_type_is_refused) {
  for (const char* exp : {"\"1795363800\"", "1795363800.5", "-1", "1e30", "9223372036854775807",
                          "99999999999999999999", "null", "true", "[]"}) {
    const std::string claims = R"({"iss":"user","sub":"s","aud":"shop","iat":1795363200,"exp":)";
    EXPECT_NE(refusal(forged(header(), claims + exp + "}", key_)), "it was taken") << exp;
  }
  for (const char* text : {"", "[]", "7", "{", "null", "{\"iss\":\"user\"",
                           R"({"iss":"user","sub":"s","aud":["shop"],"iat":1,"exp":1795363800})",
                           R"({"iss":"user","sub":5,"aud":"shop","iat":1,"exp":1795363800})"})
    EXPECT_NE(refusal(forged(header(), text, key_)), "it was taken") << text;
}

TEST_F(TokenTest, with_an_end_that_no_clock_reaches_is_refused) {
  // 2^58 s more than a good one: in microseconds, cut to 64 bits, it is that good one.
  const std::string claims = R"({"iss":"user","sub":"s","aud":"shop","iat":1795363200,"exp":)";
  EXPECT_EQ(refusal(forged(header(), claims + "288230377947075544}", key_)),
            "its times are out of range");
}

TEST_F(TokenTest, that_is_none_is_refused) {
  const std::string token = sign(claims(), key_);
  const std::string deep = "{\"a\":" + std::string(4000, '[') + "}";
  for (const std::string& text :
       {std::string{}, std::string{"."}, std::string{".."}, std::string{"a.b.c"}, token + ".",
        "." + token, token + "A", token.substr(1), token.substr(0, token.rfind('.')), " " + token,
        token + "\n", token.substr(0, 20) + "=" + token.substr(20),
        token.substr(0, 20) + std::string(1, '\0') + token.substr(20), std::string(9000, 'A'),
        forged(header(), deep, key_), forged(R"({"alg":5,"kid":"k"})", good_claims_, key_),
        forged("[]", good_claims_, key_), forged("", good_claims_, key_)})
    EXPECT_NE(refusal(text), "it was taken") << text;
}

TEST_F(TokenTest, of_more_than_8_kib_is_refused_before_anything_is_read) {
  const std::string big = R"({"iss":"user","sub":"s","aud":"shop","iat":1795363200,)"
                          R"("exp":1795363800,"x":")" +
                          std::string(7000, 'x') + "\"}";
  const std::string token = forged(header(), big, key_);
  ASSERT_GT(token.size(), token_size_max);
  EXPECT_EQ(refusal(token), "it is no signed token");
}

TEST_F(TokenTest, a_refusal_repeats_nothing_of_the_token) {
  const std::string canary = "canary";
  for (const std::string& token :
       {forged(R"({"alg":"canary","kid":"canary"})", good_claims_, key_),
        forged(R"({"alg":"ES256","kid":"canary"})", good_claims_, key_),
        forged(header(), R"({"iss":"canary","sub":"canary","aud":"x","iat":1,"exp":2})", key_),
        forged(header(), R"({"iss":"user","sub":"canary","aud":"canary","iat":1,"exp":2})", key_),
        forged(header(), R"({"iss":"user","sub":"canary","aud":"shop","iat":"canary"})", key_)})
    EXPECT_EQ(refusal(token).find(canary), std::string::npos) << refusal(token);
}

TEST_F(TokenTest, its_origin_is_read_without_being_believed) {
  const auto origin = claimed_origin(forged(header(), good_claims_, SigningKey::generate()));
  EXPECT_EQ(origin.value().kid, key_.kid());
  EXPECT_EQ(origin.value().issuer, "user");
  EXPECT_TRUE(claimed_origin("a.b.c").error().is(errors::unauthenticated));
}

}  // namespace
}  // namespace freehold::identity
