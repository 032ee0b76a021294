// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/cloud_event.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/errors.h"
#include "freehold/base/random.h"
#include "freehold/events/event.h"
#include "freehold/events/test_contract.h"

namespace freehold {
namespace {

using testing::HasSubstr;

StoredEvent stored(std::uint64_t position, NewEvent event) {
  return {{3, position, 0xfeedULL}, event.type, event.recipient, std::move(event.json)};
}

std::string batch_of(const std::vector<StoredEvent>& events) {
  std::string text = "[";
  for (const StoredEvent& event : events) {
    if (text.size() > 1) text += ',';
    write_cloud_event(text, event);
  }
  return text + "]";
}

class CloudEventTest : public testing::Test {
 protected:
  void SetUp() override { set_own_service("counter"); }
};

TEST_F(CloudEventTest, is_read_as_it_was_written) {
  const auto batch = EventBatch::read(
      batch_of({stored(41, encode(KeepNumber{"red", 1},
                                  {.request_id = "s/1", .trace_parent = "00-aa-bb-01"})),
                stored(42, encode(CounterState{"bl\"ue\n", 12, 3}, {.deleted = true}))}));
  ASSERT_TRUE(batch) << batch.error().text();
  ASSERT_EQ((*batch)->events().size(), 2U);
  const CloudEvent& first = (*batch)->events()[0];
  EXPECT_EQ(first.id, (EventId{3, 41, 0xfeed}));
  EXPECT_EQ(first.type, "keeper.keep_number.v1");
  EXPECT_EQ(first.subject, "red");
  EXPECT_EQ(first.partition_key, "red");
  EXPECT_EQ(first.request_id, "s/1");
  EXPECT_EQ(first.trace_parent, "00-aa-bb-01");
  EXPECT_EQ(first.data, R"({"box":"red","number":1})");
  EXPECT_FALSE(first.deleted);
  EXPECT_GT(first.time, Time{});
  const CloudEvent& second = (*batch)->events()[1];
  EXPECT_EQ(second.subject, "bl\"ue\n");
  EXPECT_TRUE(second.deleted);
  EXPECT_THAT(std::string{second.whole},
              HasSubstr(R"("id":"03-0000000000000000042-000000000000feed",)"
                        R"("sequence":"0000000000000000042")"));
}

TEST_F(CloudEventTest, is_read_alone_from_what_was_kept_of_it) {
  const auto batch = EventBatch::read(batch_of({stored(41, encode(Counted{"red", 1}))}));
  ASSERT_TRUE(batch);
  const auto again = EventBatch::read(std::string{(*batch)->events()[0].whole});
  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ((*again)->events()[0].id, (EventId{3, 41, 0xfeed}));
}

TEST_F(CloudEventTest, may_have_attributes_that_nobody_here_knows) {
  const auto batch = EventBatch::read(
      R"([ {"id":"00-0000000000000000001-0000000000000001" , "new":{"a":[1,"]}"]},"x":null,)"
      R"("type":"a.b.v1","subject":"s","partitionkey":"s","data": [1, {"b":"}"}] } ])");
  ASSERT_TRUE(batch) << batch.error().text();
  EXPECT_EQ((*batch)->events()[0].data, R"([1, {"b":"}"}])");
}

TEST_F(CloudEventTest, batch_may_be_empty) {
  const auto batch = EventBatch::read("[]");
  ASSERT_TRUE(batch);
  EXPECT_TRUE((*batch)->events().empty());
}

TEST_F(CloudEventTest, without_what_is_needed_is_refused) {
  const std::string id = R"("id":"00-0000000000000000001-0000000000000001")";
  const std::string rest = R"("type":"a.b.v1","subject":"s","partitionkey":"s","data":1)";
  ASSERT_TRUE(EventBatch::read("[{" + id + "," + rest + "}]"));
  const std::vector<std::string> texts = {
      "",
      "null",
      "[{}]",
      "[{" + rest + "}]",
      "[{" + id + R"(,"subject":"s","partitionkey":"s","data":1}])",
      "[{" + id + R"(,"type":"a.b.v1","partitionkey":"s","data":1}])",
      "[{" + id + R"(,"type":"a.b.v1","subject":"s","data":1}])",
      "[{" + id + R"(,"type":"a.b.v1","subject":"s","partitionkey":"s"}])",
      R"([{"id":"1",)" + rest + "}]",
      "[{" + id + "," + rest + "}",
      "[{" + id + "," + rest,
      "[{" + id + "," + rest + "}] x",
      "[{" + id + "," + rest + "},]",
      "[{" + id + R"(,"type":7}])",
      R"([{"id":"00-00)"};
  for (const std::string& text : texts) {
    const auto read = EventBatch::read(text);
    ASSERT_FALSE(read) << text;
    EXPECT_TRUE(read.error().is(errors::malformed));
  }
}

// Eight bytes are looked at together, so each is tried at each place in them, beside bytes that are
// nearly the same.
TEST_F(CloudEventTest, texts_are_read_whatever_stands_wherever_in_them) {
  for (const std::string_view special :
       {"\"", "\\", "\"\\", "\\\"", "#\"#", "!]#[", "\u00a2\u0700"}) {
    for (std::size_t before = 0; before < 17; ++before) {
      const std::string subject = std::string(before, 'x').append(special).append(before % 9, 'y');
      const auto batch = EventBatch::read(batch_of({stored(41, encode(Counted{subject, 1}))}));
      ASSERT_TRUE(batch) << subject << ": " << batch.error().text();
      EXPECT_EQ((*batch)->events()[0].subject, subject);
      EXPECT_EQ((*batch)->events()[0].partition_key, subject);
    }
  }
}

// Whatever arrives, reading it ends, and stays within the text.
TEST_F(CloudEventTest, damaged_anywhere_is_read_or_refused) {
  const std::string whole = batch_of(
      {stored(41, encode(Counted{"r\\ed", 1})), stored(42, encode(CounterState{"blue", 12, 3}))});
  SeededRandom random{7};
  for (std::size_t i = 0; i < whole.size(); ++i) {
    (void)EventBatch::read(whole.substr(0, i));
    std::string damaged = whole;
    damaged[i] = "\"\\{}[],:x"[random.below(9)];
    (void)EventBatch::read(damaged);
  }
}

}  // namespace
}  // namespace freehold
