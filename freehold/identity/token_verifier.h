// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <string_view>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/identity/internal/token_cache.h"
#include "freehold/identity/key_set.h"
#include "freehold/identity/token.h"

namespace freehold::identity {

// Verifies the access tokens of one issuer with the keys that it publishes. A token that was seen
// before costs one digest and no signature check, until it expires.
//
// It fetches nothing and stores nothing: its host does, and keeps document() in the service's own
// database, so that the service verifies tokens while the issuer is down. For one thread: the
// service's I/O thread owns it; it has no lock.
class TokenVerifier {
 public:
  static constexpr std::chrono::seconds fetch_pause{10};

  struct Options {
    std::string issuer;
    std::string audience;
    std::size_t cached_tokens_max = 10'000;
  };

  explicit TokenVerifier(Options options);

  // The claims of a token of this issuer for this audience that is in force; see verify() in
  // token.h. Refused: unauthenticated. When the token names a key that is not known, it may have
  // been signed with a new one: wants_keys() will say so.
  Result<Claims> verify(std::string_view token);

  // Whether the host should fetch the issuer's JWK set now: no keys were ever adopted, or a token
  // named one that is not known. Never true within fetch_pause after fetch_started(): tokens that
  // anybody can make up must not turn into requests to the issuer.
  bool wants_keys() const;

  // The host fetches now; call it before the request is sent, whatever becomes of it.
  void fetch_started();

  // Takes this JWK set in place of the former keys. Tokens of a key that is gone are refused from
  // here on, remembered ones too. Refused: malformed, or it holds no key that we can use; the
  // former keys then stay.
  Result<> adopt(std::string_view jwks_json);

  // The text that was adopted last, to be stored by the host; empty: none yet.
  std::string document() const { return document_; }

 private:
  Options options_;
  KeySet keys_;
  std::string document_;
  internal::TokenCache cache_;
  bool key_missed_ = true;
  SteadyClock::time_point next_fetch_{SteadyClock::time_point::min()};
};

}  // namespace freehold::identity
