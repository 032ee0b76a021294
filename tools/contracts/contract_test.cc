// SPDX-License-Identifier: Apache-2.0
#include "tools/contracts/contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace contracts {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view flag =
    R"({"type":"object","properties":{"on":{"type":"boolean"}},"required":["on"]})";
constexpr std::string_view wider_flag =
    R"({"type":"object","properties":{"on":{"type":"boolean"},"by":{"type":"string"}},)"
    R"("required":["on"]})";
constexpr std::string_view no_flag = R"({"type":"object","properties":{},"required":[]})";

freehold::RawJson raw(std::string_view text) {
  return {std::string{text}};
}

Contract contract(std::string_view event, std::string_view command, std::string_view reply) {
  return {.publishes = {{"lamp.state.v1", raw(event)}},
          .accepts = {{"lamp.turn_on.v1", raw(command), raw(reply)}}};
}

TEST(Contract, keeps_its_promises_when_it_grows) {
  const Contract before = contract(flag, flag, flag);
  Contract after = contract(wider_flag, wider_flag, wider_flag);
  after.publishes.push_back({"lamp.broken.v1", raw(flag)});
  after.accepts.push_back({"lamp.turn_off.v1", raw(flag), raw(flag)});
  EXPECT_THAT(broken_promises(before, before), IsEmpty());
  EXPECT_THAT(broken_promises(before, after), IsEmpty());
}

TEST(Contract, breaks_with_each_field_that_goes) {
  const Contract before = contract(flag, flag, flag);
  EXPECT_THAT(broken_promises(before, contract(no_flag, flag, flag)),
              ElementsAre("lamp.state.v1: on was removed"));
  EXPECT_THAT(broken_promises(before, contract(flag, no_flag, flag)),
              ElementsAre("lamp.turn_on.v1: on was removed"));
  EXPECT_THAT(broken_promises(before, contract(flag, flag, no_flag)),
              ElementsAre("the reply to lamp.turn_on.v1: on was removed"));
}

TEST(Contract, breaks_with_each_event_and_command_that_goes) {
  EXPECT_THAT(
      broken_promises(contract(flag, flag, flag), {}),
      ElementsAre("lamp.state.v1 is no longer published", "lamp.turn_on.v1 is no longer accepted"));
}

TEST(Contract, is_the_same_after_it_was_written_and_read) {
  const Contract before = contract(flag, wider_flag, no_flag);
  const auto again = read_contract(text_of(before));
  ASSERT_TRUE(again) << again.error().detail();
  EXPECT_EQ(text_of(*again), text_of(before));
  EXPECT_EQ(text_of({}), "{\n  \"publishes\": [],\n  \"accepts\": []\n}\n");
}

TEST(Contract, is_read_from_a_reference_with_more_in_it) {
  const auto read = read_contract(R"({"service":"lamp","publishes":[],"accepts":[],"tables":[]})");
  ASSERT_TRUE(read) << read.error().detail();
  EXPECT_THAT(read->publishes, IsEmpty());
  EXPECT_FALSE(read_contract("lamp"));
}

}  // namespace
}  // namespace contracts
