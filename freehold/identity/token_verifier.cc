// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/token_verifier.h"

#include <utility>

#include "freehold/base/errors.h"

namespace freehold::identity {

TokenVerifier::TokenVerifier(Options options)
    : options_(std::move(options)), cache_(options_.cached_tokens_max) {}

Result<Claims> TokenVerifier::verify(std::string_view token) {
  if (token.size() > token_size_max) return Error{errors::unauthenticated, "it is too large"};
  const Sha256 digest = sha256(token);
  if (const Claims* known = cache_.find(digest)) return *known;

  FREEHOLD_TRY(const auto origin, claimed_origin(token));
  if (!keys_.find(origin.kid)) key_missed_ = true;
  FREEHOLD_TRY(
      auto claims,
      identity::verify(token, keys_, {.issuer = options_.issuer, .audience = options_.audience}));
  cache_.keep(digest, claims);
  return claims;
}

bool TokenVerifier::wants_keys() const {
  return key_missed_ && SteadyClock::now() >= next_fetch_;
}

void TokenVerifier::fetch_started() {
  key_missed_ = false;
  next_fetch_ = SteadyClock::now() + fetch_pause;
}

Result<> TokenVerifier::adopt(std::string_view jwks_json) {
  FREEHOLD_TRY(auto adopted, KeySet::from_jwks(jwks_json));
  if (adopted.size() == 0) return Error{errors::malformed, "a JWK set without an ES256 key"};
  if (adopted != keys_) cache_.clear();
  keys_ = std::move(adopted);
  document_ = jwks_json;
  key_missed_ = false;
  return {};
}

}  // namespace freehold::identity
