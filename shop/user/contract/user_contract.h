// SPDX-License-Identifier: Apache-2.0
//
// What the user service promises to others: its types on the wire. All that another service may
// include of it.
#pragma once

#include <string_view>

#include "freehold/base/id.h"
#include "freehold/base/result.h"
#include "freehold/schema/described.h"

namespace user {

#define FREEHOLD_ERRORS "shop/user/contract/errors.def"
#define FREEHOLD_ERRORS_SERVICE "user"
#include "freehold/base/define_errors.h"

struct UserId : freehold::Id<UserId> {};

enum class Role { customer, admin };
BOOST_DESCRIBE_ENUM(Role, customer, admin)

// Event: a person wants to be forgotten. Whoever keeps anything personal of theirs deletes it. It
// names the account and says nothing else about them.
struct UserErased {
  UserId id;

  static constexpr std::string_view type = "user.erased.v1";
  static constexpr auto subject = &UserErased::id;
};
BOOST_DESCRIBE_STRUCT(UserErased, (), (id))

}  // namespace user
