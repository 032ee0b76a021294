// SPDX-License-Identifier: Apache-2.0
#include "shop/user/own_profile.h"

namespace user {

using freehold::Result, freehold::SqlTransaction, freehold::Task;
namespace http = freehold::http;

void OwnProfile::routes(http::Routes& routes) {
  routes.get<"/api/users/me">(&OwnProfile::get, *this).signed_in();
  routes.patch<"/api/users/me">(&OwnProfile::change, *this).signed_in();
  routes.del<"/api/users/me">(&OwnProfile::erase_account, *this).signed_in();
}

Task<Result<Account>> OwnProfile::get(http::None, http::Call call) {
  FREEHOLD_CO_TRY(const auto id, UserId::from_text(call.caller().subject));
  FREEHOLD_CO_TRY(auto account, co_await database_.read([id](SqlTransaction& transaction) {
    return find(transaction, id);
  }));
  if (!account) co_return errors::unknown_user;
  co_return *std::move(account);
}

Task<Result<Account>> OwnProfile::change(ProfileChange request, http::Call call) {
  FREEHOLD_CO_TRY(const auto id, UserId::from_text(call.caller().subject));
  co_return co_await database_.write([id, request](SqlTransaction& transaction) -> Result<Account> {
    const auto before = find_to_change(transaction, id);
    if (!before) return errors::unknown_user;
    FREEHOLD_TRY(auto after, changed(*before, request));
    replace(transaction, after);
    return after;
  });
}

// Die before the commit: the account is whole. Die after it: it is gone here, and the event that
// makes the others forget is in the log.
Task<Result<http::Reply<void>>> OwnProfile::erase_account(http::None, http::Call call) {
  FREEHOLD_CO_TRY(const auto id, UserId::from_text(call.caller().subject));
  co_return co_await database_.write(
      [id](SqlTransaction& transaction) -> Result<http::Reply<void>> {
        if (!find(transaction, id)) return errors::unknown_user;
        erase(transaction, id);
        return http::Reply<void>{};
      },
      call.trace_parent());
}

}  // namespace user
