// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/token_verifier.h"

#include <gtest/gtest.h>

#include <ctime>

#include "freehold/base/errors.h"
#include "freehold/identity/internal/test_surroundings.h"

namespace freehold::identity {
namespace {

using std::chrono::seconds;

class TokenVerifierTest : public testing::Test {
 protected:
  std::string token(const SigningKey& key, std::string subject = "s") const {
    return sign({.issuer = "user",
                 .subject = std::move(subject),
                 .audience = "shop",
                 .roles = {"customer"},
                 .issued_at = now(),
                 .expires_at = now() + seconds{600}},
                key);
  }
  static std::string jwks_of(std::initializer_list<const SigningKey*> keys) {
    KeySet set;
    for (const SigningKey* key : keys) set.add(key->verifying_key());
    return set.jwks();
  }

  internal::StandingClock clock_;
  const SigningKey first_ = SigningKey::generate(), second_ = SigningKey::generate();
  TokenVerifier verifier_{{.issuer = "user", .audience = "shop"}};
};

TEST_F(TokenVerifierTest, verifies_with_the_keys_that_it_adopted) {
  EXPECT_TRUE(verifier_.adopt(jwks_of({&first_})));
  EXPECT_EQ(verifier_.verify(token(first_)).value().subject, "s");
  EXPECT_TRUE(verifier_.verify(token(second_)).error().is(errors::unauthenticated));
}

TEST_F(TokenVerifierTest, without_keys_refuses_and_wants_them) {
  EXPECT_TRUE(verifier_.wants_keys());
  EXPECT_TRUE(verifier_.verify(token(first_)).error().is(errors::unauthenticated));
  EXPECT_TRUE(verifier_.adopt(jwks_of({&first_})));
  EXPECT_FALSE(verifier_.wants_keys());
}

// Processor time that so many verifications take.
std::clock_t cost_of(TokenVerifier& verifier, const std::string& text, int times) {
  const std::clock_t start = std::clock();
  for (int i = 0; i < times; ++i) EXPECT_TRUE(verifier.verify(text));
  return std::clock() - start;
}

TEST_F(TokenVerifierTest, a_known_token_costs_no_signature_check) {
  TokenVerifier forgetful{{.issuer = "user", .audience = "shop", .cached_tokens_max = 0}};
  EXPECT_TRUE(forgetful.adopt(jwks_of({&first_})));
  EXPECT_TRUE(verifier_.adopt(jwks_of({&first_})));
  const std::string text = token(first_);
  EXPECT_TRUE(verifier_.verify(text));
  EXPECT_LT(cost_of(verifier_, text, 1000), cost_of(forgetful, text, 200));
}

TEST_F(TokenVerifierTest, a_remembered_token_does_not_outlive_its_end) {
  EXPECT_TRUE(verifier_.adopt(jwks_of({&first_})));
  const std::string text = token(first_);
  EXPECT_TRUE(verifier_.verify(text));
  clock_.pass(seconds{629});
  EXPECT_TRUE(verifier_.verify(text));
  clock_.pass(seconds{1});
  EXPECT_EQ(verifier_.verify(text).error().detail(), "it has expired");
}

TEST_F(TokenVerifierTest, a_remembered_token_with_one_character_changed_is_another) {
  EXPECT_TRUE(verifier_.adopt(jwks_of({&first_})));
  std::string text = token(first_);
  EXPECT_TRUE(verifier_.verify(text));
  text[text.size() - 10] = text[text.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_TRUE(verifier_.verify(text).error().is(errors::unauthenticated));
}

TEST_F(TokenVerifierTest, takes_new_keys_beside_old_ones_and_forgets_those_withdrawn) {
  EXPECT_TRUE(verifier_.adopt(jwks_of({&first_})));
  const std::string old_token = token(first_), new_token = token(second_);
  EXPECT_TRUE(verifier_.verify(old_token));
  EXPECT_FALSE(verifier_.verify(new_token));

  EXPECT_TRUE(verifier_.adopt(jwks_of({&first_, &second_})));
  EXPECT_TRUE(verifier_.verify(old_token));
  EXPECT_TRUE(verifier_.verify(new_token));

  EXPECT_TRUE(verifier_.adopt(jwks_of({&second_})));
  EXPECT_TRUE(verifier_.verify(old_token).error().is(errors::unauthenticated));
  EXPECT_TRUE(verifier_.verify(new_token));
}

TEST_F(TokenVerifierTest, an_unknown_key_asks_for_the_keys_once_in_ten_seconds) {
  EXPECT_TRUE(verifier_.adopt(jwks_of({&first_})));
  EXPECT_FALSE(verifier_.verify(token(second_)));
  EXPECT_TRUE(verifier_.wants_keys());
  verifier_.fetch_started();
  EXPECT_FALSE(verifier_.wants_keys());

  EXPECT_FALSE(verifier_.verify(token(second_)));
  clock_.pass(seconds{10} - std::chrono::microseconds{1});
  EXPECT_FALSE(verifier_.wants_keys());
  clock_.pass(std::chrono::microseconds{1});
  EXPECT_TRUE(verifier_.wants_keys());
}

TEST_F(TokenVerifierTest, a_fetch_that_failed_is_asked_for_again) {
  verifier_.fetch_started();
  clock_.pass(seconds{10});
  EXPECT_FALSE(verifier_.verify(token(first_)));
  EXPECT_TRUE(verifier_.wants_keys());
}

TEST_F(TokenVerifierTest, other_refusals_ask_for_no_keys) {
  EXPECT_TRUE(verifier_.adopt(jwks_of({&first_})));
  std::string tampered = token(first_);
  tampered[tampered.size() - 10] = tampered[tampered.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_FALSE(verifier_.verify(tampered));
  EXPECT_FALSE(verifier_.verify("a.b.c"));
  EXPECT_FALSE(verifier_.verify(std::string(9000, 'A')));
  EXPECT_FALSE(verifier_.wants_keys());
}

TEST_F(TokenVerifierTest, gives_back_the_document_that_it_adopted) {
  EXPECT_EQ(verifier_.document(), "");
  const std::string document = ' ' + jwks_of({&first_});
  EXPECT_TRUE(verifier_.adopt(document));
  EXPECT_EQ(verifier_.document(), document);
  TokenVerifier restarted{{.issuer = "user", .audience = "shop"}};
  EXPECT_TRUE(restarted.adopt(verifier_.document()));
  EXPECT_TRUE(restarted.verify(token(first_)));
}

TEST_F(TokenVerifierTest, keeps_its_keys_when_a_document_holds_none) {
  const std::string document = jwks_of({&first_});
  EXPECT_TRUE(verifier_.adopt(document));
  for (const char* text : {"", "<html>", R"({"keys":[]})", R"({"keys":[{"kty":"RSA"}]})"})
    EXPECT_TRUE(verifier_.adopt(text).error().is(errors::malformed)) << text;
  EXPECT_EQ(verifier_.document(), document);
  EXPECT_TRUE(verifier_.verify(token(first_)));
}

Claims claims_of_a_minute() {
  return {.issuer = "user",
          .subject = "s",
          .audience = "shop",
          .issued_at = now(),
          .expires_at = now() + seconds{60}};
}

TEST(TokenCache, holds_no_more_than_its_capacity_and_drops_the_one_not_used_for_longest) {
  const internal::StandingClock clock;
  internal::TokenCache cache{2};
  const Claims claims = claims_of_a_minute();
  const Sha256 a = sha256("a"), b = sha256("b"), c = sha256("c");
  cache.keep(a, claims);
  cache.keep(b, claims);
  EXPECT_TRUE(cache.find(a));
  cache.keep(c, claims);
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_TRUE(cache.find(a));
  EXPECT_FALSE(cache.find(b));
  EXPECT_TRUE(cache.find(c));
  cache.clear();
  EXPECT_FALSE(cache.find(a));
}

TEST(TokenCache, drops_what_has_expired) {
  internal::StandingClock clock;
  internal::TokenCache cache{2};
  cache.keep(sha256("a"), claims_of_a_minute());
  clock.pass(seconds{90});
  EXPECT_FALSE(cache.find(sha256("a")));
  EXPECT_EQ(cache.size(), 0U);
}

}  // namespace
}  // namespace freehold::identity
