// SPDX-License-Identifier: Apache-2.0
#include "shop/user/register_user.h"

#include "shop/user/network_address.h"

namespace user {

using freehold::Result, freehold::SqlTransaction, freehold::Task;
namespace http = freehold::http;

void UserRegistration::routes(http::Routes& routes) {
  routes.post<"/api/users">(&UserRegistration::create, *this).open().answers({201});
}

Task<Result<http::Reply<Account>>> UserRegistration::create(Registration request, http::Call call) {
  // Counted whatever comes of it: a password costs 25 ms of a core.
  FREEHOLD_CO_TRY(addresses_.begin(network_address(call)));

  FREEHOLD_CO_TRY(const std::string email, normalised_email(request.email));
  FREEHOLD_CO_TRY(check_password(request.password));
  const Account account{.id = UserId::make(),
                        .email = email,
                        .name = request.name,
                        .created_at = freehold::now(),
                        .phone = nullptr};
  FREEHOLD_CO_TRY(check(account));

  FREEHOLD_CO_TRY(const std::string hash, co_await passwords_.hash(std::move(request.password)));
  co_return co_await database_.write(
      [account, hash](SqlTransaction& transaction) -> Result<http::Reply<Account>> {
        FREEHOLD_TRY(insert(transaction, account, hash));
        return http::Reply<Account>{.status = 201, .body = account, .location = "/api/users/me"};
      });
}

Task<Result<>> UserRegistration::make_admin(std::string email) {
  FREEHOLD_CO_TRY(const std::string normal, normalised_email(email));
  co_return co_await database_.write(
      [normal](SqlTransaction& transaction) { return set_role(transaction, normal, Role::admin); });
}

}  // namespace user
