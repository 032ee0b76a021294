// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "freehold/database/database.h"
#include "freehold/http/routes.h"
#include "freehold/identity/password.h"
#include "shop/user/access_tokens.h"
#include "shop/user/domain/throttle.h"

namespace user {

struct LogInRequest {
  std::string email;
  std::string password;
};
BOOST_DESCRIBE_STRUCT(LogInRequest, (), (email, password))

struct RefreshRequest {
  std::string refresh_token;
};
BOOST_DESCRIBE_STRUCT(RefreshRequest, (), (refresh_token))

// As an OAuth 2.0 token answer (RFC 6749, 5.1).
struct Tokens {
  std::string access_token;
  std::string token_type = "Bearer";
  int expires_in = 0;  // seconds, of the access token
  std::string refresh_token;
};
BOOST_DESCRIBE_STRUCT(Tokens, (), (access_token, token_type, expires_in, refresh_token))

// Sessions: begun with a password, kept with refresh tokens, ended by their owner.
class LogIn {
 public:
  LogIn(freehold::Database& database, freehold::identity::PasswordPool& passwords,
        const AccessTokens& tokens)
      : database_(database), passwords_(passwords), tokens_(tokens) {}
  void routes(freehold::http::Routes& routes);

 private:
  using Answer = freehold::Result<freehold::http::Reply<Tokens>>;

  freehold::Task<Answer> begin(LogInRequest request, freehold::http::Call call);
  freehold::Task<Answer> refresh_session(RefreshRequest request, freehold::http::Call call);
  freehold::Task<freehold::Result<freehold::http::Reply<void>>> end(freehold::http::None,
                                                                    freehold::http::Call call);
  Tokens tokens(UserId user, Role role, SessionId session, std::string refresh_token) const;

  freehold::Database& database_;
  freehold::identity::PasswordPool& passwords_;
  const AccessTokens& tokens_;
  LogInThrottle throttle_;
};

}  // namespace user
