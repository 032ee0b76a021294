// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/events/test_contract.h"

namespace freehold {
namespace {

using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

static_assert(Event<Counted> && !StateEvent<Counted> && !Command<Counted>);
static_assert(StateEvent<CounterState>);
static_assert(Command<KeepNumber>);
static_assert(!Event<Kept>);

static_assert(is_event_type("product.state.v1"));
static_assert(is_event_type("a.b_2.v10"));
static_assert(!is_event_type("product.state"));
static_assert(!is_event_type("product.state.1"));
static_assert(!is_event_type("product.state.v0"));
static_assert(!is_event_type("Product.state.v1"));
static_assert(!is_event_type("product.state.more.v1"));
static_assert(!is_event_type(".state.v1"));

class EventTest : public testing::Test {
 protected:
  void SetUp() override { set_own_service("counter"); }
};

TEST_F(EventTest, is_stored_from_its_source_to_its_data) {
  const NewEvent event = encode(Counted{"red", 7});
  EXPECT_EQ(event.type, "counter.counted.v1");
  EXPECT_EQ(event.subject, "red");
  EXPECT_EQ(event.partition_key, "red");
  EXPECT_EQ(event.recipient, "");
  EXPECT_EQ(event.state_version, 0);
  EXPECT_THAT(event.json, StartsWith(R"("source":"counter","type":"counter.counted.v1",)"
                                     R"("subject":"red","partitionkey":"red","time":")"));
  EXPECT_TRUE(event.json.ends_with(
      R"(Z","datacontenttype":"application/json","data":{"box":"red","number":7})"))
      << event.json;
}

TEST_F(EventTest, of_state_carries_its_version) {
  const NewEvent event = encode(CounterState{"red", 12, 3});
  EXPECT_EQ(event.state_version, 3);
  EXPECT_FALSE(event.deleted);
  EXPECT_THAT(event.json, Not(HasSubstr("method")));
}

TEST_F(EventTest, that_ends_its_subject_says_so) {
  const NewEvent event = encode(CounterState{"red", 12, 3}, {.deleted = true});
  EXPECT_TRUE(event.deleted);
  EXPECT_THAT(event.json, HasSubstr(R"("method":"DELETE")"));
}

TEST_F(EventTest, that_asks_for_something_goes_to_the_service_that_its_type_names) {
  const NewEvent event = encode(KeepNumber{"red", 1}, {.request_id = "saga/4"});
  EXPECT_EQ(event.recipient, "keeper");
  EXPECT_THAT(event.json, HasSubstr(R"("recipient":"keeper","requestid":"saga/4")"));
  EXPECT_EQ(event.state_version, 0);
}

TEST_F(EventTest, keeps_its_order_by_its_partition_key) {
  const BoxId id = BoxId::make();
  const NewEvent event = encode(BurnBox{id, "top"});
  EXPECT_EQ(event.subject, id.text());
  EXPECT_EQ(event.partition_key, "top");
}

TEST_F(EventTest, escapes_what_would_break_its_json) {
  const NewEvent event = encode(Counted{"a\"b\\c\n", 7});
  EXPECT_THAT(event.json, HasSubstr(R"("subject":"a\"b\\c\n")"));
}

TEST_F(EventTest, comes_from_the_service_of_its_thread_where_a_thread_has_one) {
  set_own_service_of_this_thread("other");
  EXPECT_THAT(encode(Counted{"red", 7}).json, StartsWith(R"("source":"other")"));
  set_own_service_of_this_thread("");
}

}  // namespace
}  // namespace freehold
