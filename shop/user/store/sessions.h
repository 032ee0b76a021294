// SPDX-License-Identifier: Apache-2.0
//
// Sessions and their refresh tokens in the database.
#pragma once

#include <optional>
#include <string>

#include "freehold/database/transaction.h"
#include "shop/user/contract/user_contract.h"

namespace user {

struct SessionId : freehold::Id<SessionId> {};

inline constexpr std::chrono::days session_lifetime{30};
inline constexpr std::chrono::seconds reuse_grace{10};

// Starts a session with its first refresh token, given as its hash, and forgets those of this user
// that have ended by age.
SessionId start_session(freehold::SqlTransaction& transaction, UserId user,
                        const std::string& token_hash);

struct Refreshed {
  SessionId session;
  UserId user;
  Role role = Role::customer;
};

// Uses up the refresh token of that hash and puts `next_hash` in its place. nullopt: it is not
// known, or its session has ended. A token that was used up longer than reuse_grace ago is in two
// hands: then its whole session is revoked, which must be committed, so it is no refusal.
std::optional<Refreshed> refresh(freehold::SqlTransaction& transaction,
                                 const std::string& token_hash, const std::string& next_hash);

void end_session(freehold::SqlTransaction& transaction, SessionId session);
void end_sessions_of(freehold::SqlTransaction& transaction, UserId user);

}  // namespace user
