// SPDX-License-Identifier: Apache-2.0
//
// Accounts in the database.
#pragma once

#include <optional>
#include <string>

#include "freehold/database/transaction.h"
#include "shop/user/domain/account.h"

namespace user {

// What a log-in needs of an account.
struct Credentials {
  UserId id;
  std::string password_hash;
  Role role = Role::customer;
};
BOOST_DESCRIBE_STRUCT(Credentials, (), (id, password_hash, role))

std::optional<Account> find(freehold::SqlTransaction& transaction, UserId id);
// In a transaction that writes: nobody else changes the account until that ends.
std::optional<Account> find_to_change(freehold::SqlTransaction& transaction, UserId id);
std::optional<Credentials> credentials(freehold::SqlTransaction& transaction,
                                       const std::string& email);

// Refused: email_taken.
freehold::Result<> insert(freehold::SqlTransaction& transaction, const Account& account,
                          const std::string& password_hash);
void replace(freehold::SqlTransaction& transaction, const Account& account);

// Refused: unknown_user.
freehold::Result<> set_role(freehold::SqlTransaction& transaction, const std::string& email,
                            Role role);

// Deletes the account and its sessions, and tells all other services (user.erased.v1).
void erase(freehold::SqlTransaction& transaction, UserId id);

}  // namespace user
