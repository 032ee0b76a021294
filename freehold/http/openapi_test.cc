// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/openapi.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "freehold/http/testing/served_routes.h"

namespace freehold::http {
namespace {

namespace json = boost::json;

struct Price {
  int amount;
};
BOOST_DESCRIBE_STRUCT(Price, (), (amount))

struct Ask {
  int id;
  std::optional<std::string> search;
};
BOOST_DESCRIBE_STRUCT(Ask, (), (id, search))

struct Change {
  int id;
  Price price;
  std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(Change, (), (id, price, note))

struct Thing {
  int id;
  Price price;
};
BOOST_DESCRIBE_STRUCT(Thing, (), (id, price))

Task<Result<Thing>> get(Ask in, Call) {
  co_return Thing{in.id, {1}};
}
Task<Result<Reply<void>>> change(Change, Call) {
  co_return Reply<void>{};
}
Task<Result<EventStream>> follow(Ask, Call) {
  co_return EventStream{};
}

Task<Result<Reply<Thing>>> make(Price price, Call) {
  co_return Reply<Thing>{.status = 201, .body = {1, price}};
}

Task<Result<None>> nothing(None, Call) {
  co_return None{};
}

void declare(Routes& routes) {
  routes.get<"/things/{id}">(get).open().described_as("One thing.");
  routes.patch<"/things/{id}">(change).requires_role("admin");
  routes.get<"/things/{id}/events">(follow).internal();
  routes.describe_at_openapi_json("Things", "1.0");
  routes.get<"/declared/later">(nothing).signed_in();
  routes.post<"/things">(make).signed_in().answers({201, 202});
}

class OpenApi : public testing::Test {
 protected:
  OpenApi() {
    declare(routes_);
    document_ = json::parse(openapi_of(routes_, "Things", "1.0"));
  }
  const json::value& at(std::string_view pointer) const {
    return document_.at_pointer({pointer.data(), pointer.size()});
  }

  Routes routes_;
  json::value document_;
};

TEST_F(OpenApi, contains_every_route) {
  EXPECT_EQ(at("/openapi"), "3.1.0");
  std::size_t operations = 0;
  for (const auto& [path, methods] : at("/paths").as_object())
    operations += methods.as_object().size();
  EXPECT_EQ(operations, routes_.all().size());
  for (const char* path : {"/paths/~1things~1{id}/get", "/paths/~1things~1{id}/patch",
                           "/paths/~1things~1{id}~1events/get", "/paths/~1openapi.json/get",
                           "/paths/~1declared~1later/get"})
    EXPECT_TRUE(at(path).is_object()) << path;
}

TEST_F(OpenApi, members_of_the_path_and_the_query_are_parameters) {
  const json::array& parameters = at("/paths/~1things~1{id}/get/parameters").as_array();
  ASSERT_EQ(parameters.size(), 2U);
  EXPECT_EQ(parameters[0].at("name"), "id");
  EXPECT_EQ(parameters[0].at("in"), "path");
  EXPECT_EQ(parameters[0].at("required"), true);
  EXPECT_EQ(parameters[0].at("schema").at("type"), "integer");
  EXPECT_EQ(parameters[1].at("in"), "query");
  EXPECT_EQ(parameters[1].at("required"), false);
  EXPECT_EQ(at("/paths/~1things~1{id}/get/summary"), "One thing.");
}

TEST_F(OpenApi, a_body_is_described_without_the_members_of_the_path) {
  const json::value& schema =
      at("/paths/~1things~1{id}/patch/requestBody/content/application~1json/schema");
  EXPECT_FALSE(schema.at("properties").as_object().contains("id"));
  EXPECT_EQ(schema.at("required"), (json::array{"price"}));
  const std::string reference =
      json::value_to<std::string>(schema.at("properties").at("price").at("$ref"));
  EXPECT_TRUE(at(reference.substr(1)).at("properties").as_object().contains("amount"));
}

TEST_F(OpenApi, answers_access_and_problems_are_described) {
  const std::string reference = json::value_to<std::string>(
      at("/paths/~1things~1{id}/get/responses/200/content/application~1json/schema/$ref"));
  EXPECT_TRUE(at(reference.substr(1)).at("properties").as_object().contains("price"));
  EXPECT_TRUE(at("/paths/~1things~1{id}/patch/responses").as_object().contains("204"));
  EXPECT_TRUE(at("/paths/~1things~1{id}~1events/get/responses/200/content")
                  .as_object()
                  .contains("text/event-stream"));
  const json::object& made = at("/paths/~1things/post/responses").as_object();
  EXPECT_TRUE(made.contains("201") && made.contains("202") && !made.contains("200"));
  EXPECT_TRUE(made.at("202").as_object().contains("content"));
  EXPECT_EQ(at("/paths/~1things~1{id}/get/security"), json::array{});
  EXPECT_EQ(at("/paths/~1things~1{id}/patch/security/0/user/0"), "admin");
  EXPECT_TRUE(at("/paths/~1things~1{id}~1events/get/security/0").as_object().contains("service"));
  EXPECT_TRUE(at("/components/schemas/Problem/properties").as_object().contains("code"));
}

TEST(OpenApiRoute, serves_the_document) {
  ServedRoutes served;
  declare(served.routes());
  served.start();
  const RawAnswer answer = RawClient{served.port()}.ask(request("GET", "/openapi.json"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("Content-Type"), "application/json");
  EXPECT_EQ(answer.body, openapi_of(served.routes(), "Things", "1.0"));
}

}  // namespace
}  // namespace freehold::http
