// SPDX-License-Identifier: Apache-2.0
//
// Accounts and their rules; pure, without a database.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/schema/json.h"
#include "freehold/schema/nullable.h"
#include "shop/user/contract/user_contract.h"

namespace user {

inline constexpr std::size_t password_bytes_min = 8;
inline constexpr std::size_t password_bytes_max = 200;
inline constexpr std::size_t addresses_max = 20;
inline constexpr std::size_t address_bytes_max = 4'000;

// An account as its owner sees it.
struct Account {
  UserId id;
  std::string email;
  std::string name;
  Role role = Role::customer;
  freehold::Time created_at{};
  freehold::Nullable<std::string> phone;
  std::vector<freehold::RawJson> addresses;  // texts or objects
};
BOOST_DESCRIBE_STRUCT(Account, (), (id, email, name, role, created_at, phone, addresses))

// What an owner may change; what is absent stays as it is, a null phone is cleared.
struct ProfileChange {
  std::optional<std::string> name;
  freehold::Nullable<std::string> phone;
  std::optional<std::vector<freehold::RawJson>> addresses;
};
BOOST_DESCRIBE_STRUCT(ProfileChange, (), (name, phone, addresses))

// The form in which two spellings of one address are equal: without surrounding blanks, in lower
// case (ASCII). Refused: malformed_account, when it is no address: something@somewhere, at most
// 254 bytes (RFC 5321), no blanks or control characters.
freehold::Result<std::string> normalised_email(std::string_view email);

// Refused: malformed_account. A password has 8 to 200 bytes; what they are is its owner's business.
freehold::Result<> check_password(std::string_view password);

// The account after the change. Refused: malformed_account, naming the member.
freehold::Result<Account> changed(Account account, const ProfileChange& change);
freehold::Result<> check(const Account& account);

}  // namespace user
