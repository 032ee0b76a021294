// SPDX-License-Identifier: Apache-2.0
#include "shop/user/access_tokens.h"

#include <utility>

#include "freehold/base/errors.h"

namespace user {

namespace http = freehold::http;
namespace identity = freehold::identity;
using freehold::Result, freehold::Task;

AccessTokens::AccessTokens(identity::SigningKey key) : key_(std::move(key)) {
  keys_.add(key_.verifying_key());
}

Result<AccessTokens> AccessTokens::open(const std::filesystem::path& directory) {
  const auto path = directory / "access_tokens.key";
  auto key = identity::SigningKey::load(path);
  if (!key && key.error().is(freehold::errors::not_found)) {
    auto made = identity::SigningKey::generate();
    FREEHOLD_TRY(made.save(path));
    return AccessTokens{std::move(made)};
  }
  if (!key) return key.error();
  return AccessTokens{*std::move(key)};
}

void AccessTokens::routes(http::Routes& routes) {
  routes.get<"/api/.well-known/jwks.json">(&AccessTokens::show_keys, *this).open();
}

std::string AccessTokens::issue(UserId user, Role role, SessionId session) const {
  const auto now = freehold::now();
  return identity::sign({.issuer = std::string{token_issuer},
                         .subject = user.text(),
                         .audience = std::string{token_audience},
                         .roles = {std::string{freehold::to_name(role)}},
                         .issued_at = now,
                         .expires_at = now + access_token_lifetime,
                         .id = session.text()},
                        key_);
}

Result<SessionId> AccessTokens::session_of(std::string_view access_token) const {
  FREEHOLD_TRY(
      const auto claims,
      identity::verify(access_token, keys_, {.issuer = token_issuer, .audience = token_audience}));
  return SessionId::from_text(claims.id);
}

Task<Result<http::Response>> AccessTokens::show_keys(http::None, http::Call) {
  http::Response response;
  response.headers.add("Content-Type", "application/jwk-set+json");
  response.headers.add("Cache-Control", "max-age=60");
  response.body = keys_.jwks();
  co_return response;
}

}  // namespace user
