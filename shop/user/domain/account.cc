// SPDX-License-Identifier: Apache-2.0
#include "shop/user/domain/account.h"

#include <algorithm>

namespace user {
namespace {

freehold::Error malformed(std::string why) {
  return {errors::malformed_account, std::move(why)};
}

}  // namespace

freehold::Result<std::string> normalised_email(std::string_view email) {
  while (email.starts_with(' ')) email.remove_prefix(1);
  while (email.ends_with(' ')) email.remove_suffix(1);
  std::string normal{email};
  for (char& c : normal)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');

  const auto at = normal.find('@');
  const bool has_blank =
      std::ranges::any_of(normal, [](char c) { return static_cast<unsigned char>(c) <= ' '; });
  if (at == std::string::npos || at == 0 || at + 1 == normal.size() || normal.rfind('@') != at ||
      normal.size() > 254 || has_blank)
    return malformed("email: an address like name@example.org");
  return normal;
}

freehold::Result<> check_password(std::string_view password) {
  if (password.size() < password_bytes_min || password.size() > password_bytes_max)
    return malformed("password: 8 to 200 bytes");
  return {};
}

freehold::Result<> check(const Account& account) {
  if (account.name.empty() || account.name.size() > 200) return malformed("name: 1 to 200 bytes");
  if (account.phone.has_value() && account.phone.value().size() > 50)
    return malformed("phone: at most 50 bytes");
  if (account.addresses.size() > addresses_max) return malformed("addresses: at most 20");
  for (const freehold::RawJson& address : account.addresses)
    if (address.text.size() > address_bytes_max ||
        !(address.text.starts_with('"') || address.text.starts_with('{')))
      return malformed("addresses: texts or objects of at most 4,000 bytes");
  return {};
}

freehold::Result<Account> changed(Account account, const ProfileChange& change) {
  if (change.name) account.name = *change.name;
  if (!change.phone.is_absent()) account.phone = change.phone;
  if (change.addresses) account.addresses = *change.addresses;
  FREEHOLD_TRY(check(account));
  return account;
}

}  // namespace user
