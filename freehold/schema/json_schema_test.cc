// SPDX-License-Identifier: Apache-2.0
#include "freehold/schema/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/schema/sample_order.h"

namespace freehold {
namespace {

using testing::ElementsAre, testing::IsEmpty, testing::Key;

TEST(JsonSchema, named_structs_are_collected_and_referred_to) {
  SchemaComponents components;
  EXPECT_EQ(json_schema<sample::Order>(components),
            R"({"$ref":"#/components/schemas/sample.Order"})");
  EXPECT_THAT(components,
              ElementsAre(Key("sample.Line"), Key("sample.Money"), Key("sample.Order")));
  EXPECT_EQ(components["sample.Line"],
            R"({"type":"object","properties":{"product_id":{"type":"string","format":"uuid"},)"
            R"("quantity":{"type":"integer","format":"int32"},"note":{"type":"string"}},)"
            R"("required":["product_id","quantity"]})");
  EXPECT_THAT(components["sample.Order"],
              testing::AllOf(
                  testing::HasSubstr(R"("status":{"type":"string","enum":["pending","confirmed",)"),
                  testing::HasSubstr(R"("placed_at":{"type":"string","format":"date-time"})"),
                  testing::HasSubstr(R"("lines":{"type":"array","items":{"$ref":)")));
}

TEST(JsonSchema, a_document_stands_alone) {
  EXPECT_EQ(json_schema<sample::Money>(),
            R"({"$ref":"#/$defs/sample.Money","$defs":{"sample.Money":{"type":"object",)"
            R"("properties":{"amount_minor":{"type":"integer","format":"int64"},)"
            R"("currency":{"type":"string"}},"required":["amount_minor","currency"]}}})");
  EXPECT_EQ(json_schema<std::vector<bool>>(), R"({"type":"array","items":{"type":"boolean"}})");
  EXPECT_EQ(json_schema<Nullable<double>>(),
            R"({"anyOf":[{"type":"number","format":"double"},{"type":"null"}]})");
  EXPECT_TRUE(read_json<RawJson>(json_schema<sample::Order>(), Strictness::strict));
}

TEST(JsonSchema, a_struct_may_hold_itself) {
  EXPECT_EQ(json_schema<sample::Folder>(),
            R"({"$ref":"#/$defs/sample.Folder","$defs":{"sample.Folder":{"type":"object",)"
            R"("properties":{"name":{"type":"string"},"folders":{"type":"array",)"
            R"("items":{"$ref":"#/$defs/sample.Folder"}}},"required":["name","folders"]}}})");
  EXPECT_NE(shape_of<sample::Folder>(), 0U);
  EXPECT_THAT(breaks(json_schema<sample::Folder>(), json_schema<sample::Folder>()), IsEmpty());
}

namespace before {
enum class Colour { red, green };
BOOST_DESCRIBE_ENUM(Colour, red, green)
struct Paint {
  Colour colour;
  int litres;
  std::string name;
};
BOOST_DESCRIBE_STRUCT(Paint, (), (colour, litres, name))
struct Order {
  std::vector<Paint> paints;
};
BOOST_DESCRIBE_STRUCT(Order, (), (paints))
}  // namespace before

namespace added {
enum class Colour { red, green };
BOOST_DESCRIBE_ENUM(Colour, red, green)
struct Paint {
  Colour colour;
  int litres;
  std::string name;
  std::optional<bool> glossy;
};
BOOST_DESCRIBE_STRUCT(Paint, (), (colour, litres, name, glossy))
struct Order {
  std::vector<Paint> paints;
};
BOOST_DESCRIBE_STRUCT(Order, (), (paints))
}  // namespace added

namespace broken {
enum class Colour { red, blue };
BOOST_DESCRIBE_ENUM(Colour, red, blue)
struct Paint {
  Colour colour;
  std::int64_t litres;
  bool glossy;
};
BOOST_DESCRIBE_STRUCT(Paint, (), (colour, litres, glossy))
struct Order {
  std::vector<Paint> paints;
};
BOOST_DESCRIBE_STRUCT(Order, (), (paints))
}  // namespace broken

struct Optional {
  std::optional<int> number;
};
BOOST_DESCRIBE_STRUCT(Optional, (), (number))
struct Required {
  int number;
};
BOOST_DESCRIBE_STRUCT(Required, (), (number))

TEST(Contract, may_only_be_added_to) {
  const std::string old_text = json_schema<before::Order>();
  EXPECT_THAT(breaks(old_text, old_text), IsEmpty());
  EXPECT_THAT(breaks(old_text, json_schema<added::Order>()), IsEmpty());
  EXPECT_THAT(breaks(old_text, json_schema<broken::Order>()),
              ElementsAre("paints[].colour has lost the enumerator green",
                          "paints[].colour has gained the enumerator blue",
                          "paints[].litres has another type", "paints[].name was removed",
                          "paints[].glossy is newly required"));
}

TEST(Contract, a_field_stays_required_or_optional) {
  EXPECT_THAT(breaks(json_schema<Required>(), json_schema<Optional>()),
              ElementsAre("number is no longer always there"));
  EXPECT_THAT(breaks(json_schema<Optional>(), json_schema<Required>()),
              ElementsAre("number is newly required"));
}

TEST(Contract, a_text_that_is_no_schema_breaks) {
  const std::string schema = json_schema<Required>();
  EXPECT_THAT(breaks(schema, "{"), ElementsAre("it is not JSON"));
  EXPECT_THAT(breaks("", schema), ElementsAre("it is compared with a text that is not JSON"));
  EXPECT_THAT(breaks(schema, "[]"), ElementsAre("it is no schema"));
  EXPECT_THAT(breaks(schema, R"({"$ref":"#/$defs/gone"})"), ElementsAre("it is no schema"));
  EXPECT_THAT(breaks(schema, R"({"type":"string"})"), testing::Not(IsEmpty()));
  EXPECT_THAT(breaks(json_schema<int>(), json_schema<Nullable<int>>()), testing::Not(IsEmpty()));
  EXPECT_THAT(breaks(json_schema<std::vector<int>>(), json_schema<std::vector<bool>>()),
              ElementsAre("[] has another type"));
}

TEST(Shape, follows_names_types_and_enumerators_but_not_the_names_of_types) {
  EXPECT_EQ(shape_of<before::Order>(), shape_of<before::Order>());
  EXPECT_NE(shape_of<before::Order>(), shape_of<added::Order>());
  EXPECT_NE(shape_of<before::Order>(), shape_of<broken::Order>());
  EXPECT_NE(shape_of<Optional>(), shape_of<Required>());
  // Stored by replicas to know when a table must be rebuilt: the same for ever.
  EXPECT_EQ(shape_of<Required>(), fnv1a("{number:i4,}"));
}

}  // namespace
}  // namespace freehold
