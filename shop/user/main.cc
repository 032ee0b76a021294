// SPDX-License-Identifier: Apache-2.0
//
// The user service: a parts list.
#include <cstdio>
#include <utility>

#include "freehold/service/service.h"
#include "shop/user/access_tokens.h"
#include "shop/user/log_in.h"
#include "shop/user/own_profile.h"
#include "shop/user/register_user.h"
#include "shop/user/store/migrations.h"

int main(int argc, char** argv) {
  freehold::Service service{"user", argc, argv};
  freehold::Database& database = service.database(user::migrations());

  auto tokens = user::AccessTokens::open(service.configuration().data);
  if (!tokens) {
    std::fprintf(stderr, "user: %s\n", tokens.error().text().c_str());
    return 1;
  }
  freehold::identity::PasswordPool passwords;
  user::UserRegistration registration{database, passwords};
  user::LogIn log_in{database, passwords, *tokens};
  user::OwnProfile profile{database};

  service.publishes<user::UserErased>();
  service.believes_own_tokens(std::string{user::token_audience}, tokens->jwks());
  service.on_command("make-admin",
                     [&](std::string email) { return registration.make_admin(std::move(email)); });
  tokens->routes(service.routes());
  registration.routes(service.routes());
  log_in.routes(service.routes());
  profile.routes(service.routes());
  return service.run();
}
