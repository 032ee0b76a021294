// SPDX-License-Identifier: Apache-2.0
//
// Signed tokens: JWT (RFC 7519) in the compact form of JWS (RFC 7515), always ES256.
//
//   header  {"alg":"ES256","typ":"JWT","kid":<thumbprint of the key>}
//   claims  {"iss","sub","aud","roles":[…],"iat","exp","jti"}, times in whole seconds
//
// The algorithm is ours to choose, never the token's: a token that names another one (`none`,
// HS256 with our public key as its secret) is refused before any key is touched.
//
// Callable from any thread. Times are compared with base/clock.h's calendar time.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/identity/key.h"
#include "freehold/identity/key_set.h"

namespace freehold::identity {

inline constexpr std::size_t token_size_max = 8192;        // bytes
inline constexpr std::chrono::seconds clock_skew_max{30};  // between issuer and verifier

// What a token says. Times are kept to the second.
struct Claims {
  std::string issuer;
  std::string subject;
  std::string audience;
  std::vector<std::string> roles{};
  Time issued_at;
  Time expires_at;
  std::string id{};  // `jti`; empty: none

  // Whether nobody takes the token any more: clock_skew_max after `expires_at`.
  bool has_expired() const;

  friend bool operator==(const Claims&, const Claims&) = default;
};

// The token of these claims. Throws std::runtime_error when OpenSSL cannot sign. Claims that make
// it larger than token_size_max are a bug.
std::string sign(const Claims& claims, const SigningKey& key);

// Whom a token must come from, whom it must be made for, and for how long it may be good: one that
// its issuer made by mistake, or that a thief of the key made, must not be good for ever.
struct Expected {
  std::string_view issuer;
  std::string_view audience;
  std::chrono::seconds lifetime_max = std::chrono::hours{1};
};

// The claims of a token that one of `keys` signed, for this audience, by this issuer, and that is
// in force now: `iat` and `nbf` not later and `exp` not earlier than now, give or take
// clock_skew_max, and `exp` not more than lifetime_max after `iat` and after now. `iss`, `sub`,
// `aud`, `iat` and `exp` must be there. Every refusal is unauthenticated; its detail says why and
// repeats nothing of the token. Costs about 0.6 ms (the library reads the key's text each time);
// TokenVerifier and ServiceTrust remember.
Result<Claims> verify(std::string_view token, const KeySet& keys, const Expected& expected);

// What a token says of its own origin. Nothing of it may be believed: it only tells which key to
// try. Refused: unauthenticated (no ES256 token at all).
struct Origin {
  std::string kid;
  std::string issuer;
};
Result<Origin> claimed_origin(std::string_view token);

}  // namespace freehold::identity
