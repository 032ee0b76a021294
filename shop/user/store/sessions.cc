// SPDX-License-Identifier: Apache-2.0
#include "shop/user/store/sessions.h"

#include "freehold/base/clock.h"

namespace user {
namespace {

using freehold::SqlTransaction;
using freehold::Time;
using freehold::sql::Change;
using freehold::sql::locking;
using freehold::sql::Query;

struct TokenRow {
  SessionId session_id;
  UserId user_id;
  Role role = Role::customer;
  Time started_at{};
  std::optional<Time> revoked_at;
  std::optional<Time> replaced_at;
};
BOOST_DESCRIBE_STRUCT(TokenRow, (),
                      (session_id, user_id, role, started_at, revoked_at, replaced_at))

constexpr Change<void(SessionId, UserId, Time)> insert_session{
    "insert into session (id, user_id, started_at) values ($1, $2, $3)"};
constexpr Change<void(std::string, SessionId, Time)> insert_token{
    "insert into refresh_token (hash, session_id, issued_at) values ($1, $2, $3)"};
constexpr Query<TokenRow(std::string)> token_of{
    locking("select session_id, user_id, role, started_at, revoked_at, replaced_at "
            "from refresh_token join session on session.id = session_id "
            "join account on account.id = user_id where hash = $1 for update")};
constexpr Change<void(std::string, Time)> set_replaced{
    "update refresh_token set replaced_at = $2 where hash = $1"};
constexpr Change<void(SessionId, Time)> revoke{
    "update session set revoked_at = $2 where id = $1 and revoked_at is null"};
constexpr Change<void(UserId, Time)> delete_tokens_of{
    "delete from refresh_token where session_id in "
    "(select id from session where user_id = $1 and started_at < $2)"};
constexpr Change<void(UserId, Time)> delete_sessions_of{
    "delete from session where user_id = $1 and started_at < $2"};

void forget_sessions(SqlTransaction& transaction, UserId user, Time started_before) {
  transaction.run(delete_tokens_of, user, started_before);
  transaction.run(delete_sessions_of, user, started_before);
}

}  // namespace

SessionId start_session(SqlTransaction& transaction, UserId user, const std::string& token_hash) {
  forget_sessions(transaction, user, freehold::now() - session_lifetime);
  const auto session = SessionId::make();
  transaction.run(insert_session, session, user, freehold::now());
  transaction.run(insert_token, token_hash, session, freehold::now());
  return session;
}

std::optional<Refreshed> refresh(SqlTransaction& transaction, const std::string& token_hash,
                                 const std::string& next_hash) {
  const Time now = freehold::now();
  const auto token = transaction.first(token_of, token_hash);
  if (!token || token->revoked_at || now - token->started_at > session_lifetime)
    return std::nullopt;
  if (token->replaced_at && now - *token->replaced_at > reuse_grace) {
    transaction.run(revoke, token->session_id, now);
    return std::nullopt;
  }
  if (!token->replaced_at) transaction.run(set_replaced, token_hash, now);
  transaction.run(insert_token, next_hash, token->session_id, now);
  return Refreshed{token->session_id, token->user_id, token->role};
}

void end_session(SqlTransaction& transaction, SessionId session) {
  transaction.run(revoke, session, freehold::now());
}

void end_sessions_of(SqlTransaction& transaction, UserId user) {
  forget_sessions(transaction, user, Time::max());
}

}  // namespace user
