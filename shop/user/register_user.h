// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "freehold/database/database.h"
#include "freehold/http/routes.h"
#include "freehold/identity/password.h"
#include "shop/user/domain/throttle.h"
#include "shop/user/store/accounts.h"

namespace user {

struct Registration {
  std::string email;
  std::string password;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(Registration, (), (email, password, name))

// Makes accounts of customers, not too many for one network address; an operator makes one an
// administrator.
class UserRegistration {
 public:
  UserRegistration(freehold::Database& database, freehold::identity::PasswordPool& passwords)
      : database_(database), passwords_(passwords) {}
  void routes(freehold::http::Routes& routes);

  // For the operator: `user make-admin EMAIL`. Refused: malformed_account, unknown_user.
  freehold::Task<freehold::Result<>> make_admin(std::string email);

 private:
  freehold::Task<freehold::Result<freehold::http::Reply<Account>>> create(
      Registration request, freehold::http::Call call);

  freehold::Database& database_;
  freehold::identity::PasswordPool& passwords_;
  // A household or an office in 10 minutes; a flood costs 1 % of a core.
  Throttle addresses_{{.attempts_max = 300}};
};

}  // namespace user
