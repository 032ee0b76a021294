// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "freehold/database/database.h"
#include "freehold/http/routes.h"
#include "shop/user/store/accounts.h"

namespace user {

// What people do with their own account: read it, change it, erase it.
class OwnProfile {
 public:
  explicit OwnProfile(freehold::Database& database) : database_(database) {}
  void routes(freehold::http::Routes& routes);

 private:
  freehold::Task<freehold::Result<Account>> get(freehold::http::None, freehold::http::Call call);
  freehold::Task<freehold::Result<Account>> change(ProfileChange request,
                                                   freehold::http::Call call);
  freehold::Task<freehold::Result<freehold::http::Reply<void>>> erase_account(
      freehold::http::None, freehold::http::Call call);

  freehold::Database& database_;
};

}  // namespace user
