// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "freehold/http/routes.h"
#include "freehold/identity/key.h"
#include "freehold/identity/key_set.h"
#include "freehold/identity/token.h"
#include "shop/user/store/sessions.h"

namespace user {

inline constexpr std::chrono::seconds access_token_lifetime{600};
inline constexpr std::string_view token_issuer = "user";
inline constexpr std::string_view token_audience = "shop";

// The key that signs this shop's access tokens, and its public half for those who verify them.
class AccessTokens {
 public:
  // Loads the key from `directory`, the service's own; makes it at the first start. Fails with
  // keys_unusable.
  static freehold::Result<AccessTokens> open(const std::filesystem::path& directory);

  // GET /api/.well-known/jwks.json
  void routes(freehold::http::Routes& routes);

  // Says for access_token_lifetime who the user is, what they may do, and in which session.
  std::string issue(UserId user, Role role, SessionId session) const;
  // The session that this access token belongs to. Refused: unauthenticated.
  freehold::Result<SessionId> session_of(std::string_view access_token) const;

  std::string jwks() const { return keys_.jwks(); }

 private:
  explicit AccessTokens(freehold::identity::SigningKey key);
  freehold::Task<freehold::Result<freehold::http::Response>> show_keys(freehold::http::None,
                                                                       freehold::http::Call call);

  freehold::identity::SigningKey key_;
  freehold::identity::KeySet keys_;
};

}  // namespace user
