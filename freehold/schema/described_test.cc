// SPDX-License-Identifier: Apache-2.0
#include "freehold/schema/described.h"

#include <gtest/gtest.h>

#include "freehold/schema/sample_order.h"

namespace freehold {
namespace {

using sample::Order, sample::Status;

static_assert(Described<Order> && Described<sample::Nothing>);
static_assert(!Described<sample::OrderId>, "an id is a scalar");
static_assert(!Described<std::string> && !Described<int> && !Described<Status>);
static_assert(DescribedEnum<Status> && !DescribedEnum<Order>);
static_assert(member_count<Order> == 11 && member_count<sample::Nothing> == 0);
static_assert(member_names<sample::Money>()[1] == "currency");
static_assert(has_member<Order>("status") && !has_member<Order>("type"));
static_assert(described_name<Order>() == "sample.Order");
static_assert(described_name<std::vector<Order>>().find_first_of("<>:, ") == std::string::npos);

struct Summary {
  Status status;
  sample::OrderId id;
};
BOOST_DESCRIBE_STRUCT(Summary, (), (status, id))

TEST(Described, members_are_visited_in_the_order_of_the_description) {
  sample::Money money{.amount_minor = 5, .currency = "EUR"};
  std::string visited;
  for_each_member(money, [&]<class Member>(std::string_view name, Member& member) {
    visited.append(name).append(" ");
    if constexpr (std::same_as<Member, std::int64_t>) member = 7;
  });
  EXPECT_EQ(visited, "amount_minor currency ");
  EXPECT_EQ(money.amount_minor, 7);
}

TEST(Described, enumerators_have_their_names) {
  EXPECT_EQ(to_name(Status::confirmed), "confirmed");
  EXPECT_EQ(from_name<Status>("rejected"), Status::rejected);
  EXPECT_EQ(from_name<Status>("Rejected"), std::nullopt);
  EXPECT_EQ(from_name<Status>(""), std::nullopt);
  EXPECT_EQ(enumerator_names<Status>()[2], "rejected");
}

TEST(Described, an_enumerator_that_is_not_described_is_a_bug) {
  EXPECT_DEATH((void)to_name(static_cast<Status>(77)), "described enumerators");
}

TEST(Described, a_subset_takes_its_members_by_name) {
  const Order order = sample::an_order();
  const auto summary = narrowed<Summary>(order);
  EXPECT_EQ(summary.id, order.id);
  EXPECT_EQ(summary.status, order.status);
}

}  // namespace
}  // namespace freehold
