// SPDX-License-Identifier: Apache-2.0
#include "shop/user/store/accounts.h"

#include <utility>

#include "freehold/events/event.h"
#include "shop/user/store/sessions.h"

namespace user {
namespace {

using freehold::SqlTransaction;
using freehold::sql::Change;
using freehold::sql::locking;
using freehold::sql::Query;

struct AccountRow {
  UserId id;
  std::string email;
  std::string name;
  Role role = Role::customer;
  freehold::Time created_at{};
  std::optional<std::string> phone;
  std::vector<freehold::RawJson> addresses;
};
BOOST_DESCRIBE_STRUCT(AccountRow, (), (id, email, name, role, created_at, phone, addresses))

constexpr Query<AccountRow(UserId)> row_of{
    "select id, email, name, role, created_at, phone, addresses from account where id = $1"};
constexpr Query<AccountRow(UserId)> row_to_change{
    locking("select id, email, name, role, created_at, phone, addresses from account "
            "where id = $1 for update")};
constexpr Query<Credentials(std::string)> credentials_of{
    "select id, password_hash, role from account where email = $1"};
constexpr Change<void(UserId, std::string, std::string, std::string, std::optional<std::string>,
                      std::vector<freehold::RawJson>, Role, freehold::Time)>
    insert_row{
        "insert into account "
        "(id, email, password_hash, name, phone, addresses, role, created_at) "
        "values ($1, $2, $3, $4, $5, $6, $7, $8)"};
constexpr Change<void(UserId, std::string, std::optional<std::string>,
                      std::vector<freehold::RawJson>)>
    update_row{"update account set name = $2, phone = $3, addresses = $4 where id = $1"};
constexpr Change<void(std::string, Role)> update_role{
    "update account set role = $2 where email = $1"};
constexpr Change<void(UserId)> delete_row{"delete from account where id = $1"};

std::optional<std::string> phone_of(const Account& account) {
  if (account.phone.has_value()) return account.phone.value();
  return std::nullopt;
}

std::optional<Account> from_row(std::optional<AccountRow> row) {
  if (!row) return std::nullopt;
  Account account{.id = row->id,
                  .email = std::move(row->email),
                  .name = std::move(row->name),
                  .role = row->role,
                  .created_at = row->created_at,
                  .phone = nullptr,
                  .addresses = std::move(row->addresses)};
  if (row->phone) account.phone = *std::move(row->phone);
  return account;
}

}  // namespace

std::optional<Account> find(SqlTransaction& transaction, UserId id) {
  return from_row(transaction.first(row_of, id));
}

std::optional<Account> find_to_change(SqlTransaction& transaction, UserId id) {
  return from_row(transaction.first(row_to_change, id));
}

std::optional<Credentials> credentials(SqlTransaction& transaction, const std::string& email) {
  return transaction.first(credentials_of, email);
}

freehold::Result<> insert(SqlTransaction& transaction, const Account& account,
                          const std::string& password_hash) {
  if (credentials(transaction, account.email)) return errors::email_taken;
  transaction.run(insert_row, account.id, account.email, password_hash, account.name,
                  phone_of(account), account.addresses, account.role, account.created_at);
  return {};
}

void replace(SqlTransaction& transaction, const Account& account) {
  transaction.run(update_row, account.id, account.name, phone_of(account), account.addresses);
}

freehold::Result<> set_role(SqlTransaction& transaction, const std::string& email, Role role) {
  if (transaction.count(update_role, email, role) == 0) return errors::unknown_user;
  return {};
}

void erase(SqlTransaction& transaction, UserId id) {
  end_sessions_of(transaction, id);
  transaction.run(delete_row, id);
  transaction.erased();
  append(transaction, UserErased{id});
}

}  // namespace user
