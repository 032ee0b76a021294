// SPDX-License-Identifier: Apache-2.0
#include "shop/user/log_in.h"

#include <optional>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/identity/secret.h"
#include "shop/user/network_address.h"
#include "shop/user/store/accounts.h"

namespace user {

using freehold::Result, freehold::SqlTransaction, freehold::Task;
namespace http = freehold::http;
namespace identity = freehold::identity;

namespace {

// The account whose password this is; nullopt: there is none, or the password is wrong. An account
// that does not exist costs the same work, so that nobody can find out who has one.
Task<Result<std::optional<Credentials>>> account_of(freehold::Database* database,
                                                    identity::PasswordPool* passwords,
                                                    std::string email, std::string password) {
  FREEHOLD_CO_TRY(auto account, co_await database->read([&](SqlTransaction& transaction) {
    return credentials(transaction, email);
  }));
  FREEHOLD_CO_TRY(const bool right,
                  co_await passwords->verify(account ? account->password_hash : std::string{},
                                             std::move(password)));
  if (!right) account.reset();
  co_return account;
}

}  // namespace

void LogIn::routes(http::Routes& routes) {
  routes.post<"/api/sessions">(&LogIn::begin, *this).open().answers({201});
  routes.post<"/api/sessions/refresh">(&LogIn::refresh_session, *this).open().answers({201});
  routes.del<"/api/sessions/current">(&LogIn::end, *this).signed_in();
}

// Nobody who guesses is told whether the account exists. What failed by our own fault, as when too
// many log in at once, counts for no guess: who tries again after a 503 is not shut out.
Task<LogIn::Answer> LogIn::begin(LogInRequest request, http::Call call) {
  const auto normal = normalised_email(request.email);
  const std::string email = normal ? *normal : std::string{};
  const std::string address = network_address(call);
  FREEHOLD_CO_TRY(throttle_.begin(email, address));

  auto account = co_await account_of(&database_, &passwords_, email, std::move(request.password));
  if (!account) {
    throttle_.not_tried(email, address);
    co_return account.error();
  }
  if (!*account) co_return errors::wrong_credentials;
  throttle_.succeeded(email, address);

  const std::string refresh_token = identity::make_secret();
  const std::string hash = identity::sha256_text(refresh_token);
  FREEHOLD_CO_TRY(const auto session, co_await database_.write([user = (*account)->id,
                                                                hash](SqlTransaction& transaction) {
    return start_session(transaction, user, hash);
  }));
  co_return http::Reply<Tokens>{
      .status = 201, .body = tokens((*account)->id, (*account)->role, session, refresh_token)};
}

Task<LogIn::Answer> LogIn::refresh_session(RefreshRequest request, http::Call) {
  const std::string next = identity::make_secret();
  FREEHOLD_CO_TRY(
      const auto refreshed,
      co_await database_.write([used = identity::sha256_text(request.refresh_token),
                                hash = identity::sha256_text(next)](SqlTransaction& transaction) {
        return refresh(transaction, used, hash);
      }));
  if (!refreshed) co_return errors::session_ended;
  co_return http::Reply<Tokens>{
      .status = 201, .body = tokens(refreshed->user, refreshed->role, refreshed->session, next)};
}

Task<Result<http::Reply<void>>> LogIn::end(http::None, http::Call call) {
  std::string_view token = call.header("Authorization").value_or("");
  token.remove_prefix(std::min(token.size(), std::string_view{"Bearer "}.size()));
  FREEHOLD_CO_TRY(const auto session, tokens_.session_of(token));
  FREEHOLD_CO_TRY(co_await database_.write(
      [session](SqlTransaction& transaction) { end_session(transaction, session); }));
  co_return http::Reply<void>{};
}

Tokens LogIn::tokens(UserId user, Role role, SessionId session, std::string refresh_token) const {
  return {.access_token = tokens_.issue(user, role, session),
          .expires_in = static_cast<int>(access_token_lifetime.count()),
          .refresh_token = std::move(refresh_token)};
}

}  // namespace user
