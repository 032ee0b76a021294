// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/routes.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/http/testing/served_routes.h"

namespace freehold::http {
namespace {

using testing::HasSubstr;

struct ItemId : Id<ItemId> {};
enum class Colour { red, green };
BOOST_DESCRIBE_ENUM(Colour, red, green)

struct GetItem {
  ItemId id;
  std::optional<int> depth;
};
BOOST_DESCRIBE_STRUCT(GetItem, (), (id, depth))

struct PutItem {
  ItemId id;
  std::string name;
  Colour colour;
  std::optional<std::string> note;
};
BOOST_DESCRIBE_STRUCT(PutItem, (), (id, name, colour, note))

struct Item {
  ItemId id;
  std::string name;
  int depth = 0;
};
BOOST_DESCRIBE_STRUCT(Item, (), (id, name, depth))

struct Search {
  std::string text;
  std::optional<Colour> colour;
};
BOOST_DESCRIBE_STRUCT(Search, (), (text, colour))

struct Said {
  std::string text;
};
BOOST_DESCRIBE_STRUCT(Said, (), (text))

class Shelf {
 public:
  void routes(Routes& routes) {
    routes.get<"/items/{id}">(&Shelf::get, *this).open();
    routes.put<"/items/{id}">(&Shelf::put, *this).open();
    routes.del<"/items/{id}">(&Shelf::remove, *this).requires_role("admin").requires_role("owner");
    routes.get<"/items">(&Shelf::search, *this).open();
    routes.get<"/items/newest">(&Shelf::newest, *this).open();
    routes.get<"/me">(&Shelf::me, *this).signed_in();
    routes.get<"/feed">(&Shelf::feed, *this).internal();
    routes.patch<"/items/{id}">(&Shelf::patch, *this).open();
    routes.get<"/about">(&Shelf::about, *this).open();
    routes.get<"/refusal">(&Shelf::refuse, *this).open();
    routes.get<"/fault">(&Shelf::fail, *this).open();
    routes.get<"/fault-for-services">(&Shelf::fail, *this).internal();
  }

 private:
  Task<Result<Reply<Item>>> get(GetItem in, Call) const {
    co_return Reply<Item>{.body = {in.id, "lamp", in.depth.value_or(1)}, .etag = "7"};
  }
  Task<Result<Reply<Item>>> put(PutItem in, Call) {
    co_return Reply<Item>{.status = 201,
                          .body = {in.id, in.name},
                          .location = "/items/" + in.id.text() + "\r\nX-Injected: yes"};
  }
  Task<Result<>> remove(GetItem, Call) { co_return Result<>{}; }
  Task<Result<Said>> search(Search in, Call) {
    co_return Said{in.text + (in.colour ? "+" + std::string{to_name(*in.colour)} : "")};
  }
  Task<Result<Said>> newest(None, Call) { co_return Said{"newest"}; }
  Task<Result<Said>> me(None, Call call) { co_return Said{call.caller().subject}; }
  Task<Result<Said>> feed(None, Call call) { co_return Said{std::string{call.caller_service()}}; }
  Task<Result<Reply<void>>> patch(GetItem, Call call) {
    FREEHOLD_CO_TRY(auto version, call.if_match());
    if (version != "7") co_return errors::precondition_failed;
    co_return Reply<void>{.etag = "8"};
  }
  Task<Result<Said>> about(None, Call call) {
    const auto left = call.deadline() - SteadyClock::now();
    co_return Said{call.trace().trace_text() + " " + std::to_string(call.prefer_wait().count()) +
                   (left < std::chrono::seconds{2} ? " soon" : " later")};
  }
  Task<Result<Said>> refuse(None, Call) {
    co_return Error{"shelf", "out_of_order", Kind::unavailable, "The lamp is broken.", "bulb 3"};
  }
  Task<Result<Said>> fail(None, Call) {
    co_return Error{errors::database_unavailable, "insert into shelf"};
  }
};

constexpr std::string_view id = "0190163d-8694-739b-aea5-966c26f8ad91";
const std::string item = "/items/" + std::string{id};

class RoutesTest : public testing::Test {
 protected:
  RoutesTest() {
    shelf_.routes(served_.routes());
    served_.start();
  }
  RawAnswer ask(std::string_view method, std::string_view target, std::string_view headers = {},
                std::string_view body = {}) {
    return RawClient{served_.port()}.ask(request(method, target, headers, body));
  }

  Shelf shelf_;
  ServedRoutes served_;
};

TEST_F(RoutesTest, members_come_from_the_path_and_the_query) {
  EXPECT_EQ(ask("GET", item + "?depth=3").body,
            R"({"id":")" + std::string{id} + R"(","name":"lamp","depth":3})");
  EXPECT_THAT(ask("GET", item).body, HasSubstr(R"("depth":1)"));
  EXPECT_EQ(ask("GET", "/items?text=a%20caf%C3%A9+%26&colour=green").body,
            R"({"text":"a café &+green"})");
}

TEST_F(RoutesTest, members_come_from_the_path_and_the_body) {
  const RawAnswer answer = ask("PUT", item, {}, R"({"name":"chair","colour":"red"})");
  EXPECT_EQ(answer.status, 201);
  EXPECT_THAT(answer.body, HasSubstr("chair"));
  EXPECT_THAT(answer.body, HasSubstr(id));
}

TEST_F(RoutesTest, what_is_wrong_with_a_request_is_400_and_named) {
  const auto says = [&](const RawAnswer& answer, std::string_view named) {
    EXPECT_EQ(answer.status, 400) << answer.body;
    EXPECT_THAT(answer.body, HasSubstr(named));
  };
  says(ask("GET", "/items/17"), "id");
  says(ask("GET", item + "?dept=3"), "dept");
  says(ask("GET", item + "?depth=x"), "depth");
  says(ask("GET", item + "?depth=1&depth=2"), "depth");
  says(ask("GET", item + "?id=3"), "id");
  says(ask("GET", "/items"), "text");
  says(ask("GET", "/items?text=a&colour=blue"), "colour");
  says(ask("GET", "/items?text=%zz"), "percent");
  says(ask("PUT", item, {}, R"({"name":"chair","colour":"red","size":1})"), "size");
  says(ask("PUT", item, {}, R"({"id":"x","name":"chair","colour":"red"})"), "id");
  says(ask("PUT", item, {}, R"({"colour":"red"})"), "name");
  says(ask("PUT", item, {}, R"({"name":7,"colour":"red"})"), "name");
  says(ask("PUT", item, {}, R"({"name":"a","colour":"red")"), "freehold/malformed");
  says(ask("PUT", item), "freehold/malformed");
  says(ask("PUT", item + "?note=a", {}, R"({"name":"chair","colour":"red"})"), "note");
}

TEST_F(RoutesTest, a_fixed_segment_wins_over_a_parameter) {
  EXPECT_EQ(ask("GET", "/items/newest").body, R"({"text":"newest"})");
  EXPECT_EQ(ask("GET", "/items/newest/").status, 404);
  EXPECT_EQ(ask("GET", "/items/").status, 404);
  EXPECT_EQ(ask("GET", "http://host/items/newest").body, R"({"text":"newest"})");
}

TEST_F(RoutesTest, another_method_names_those_that_are_allowed) {
  const RawAnswer answer = ask("POST", item, {}, "{}");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.header("Allow"), "GET, HEAD, PUT, DELETE, PATCH");
}

TEST_F(RoutesTest, text_from_outside_cannot_add_a_header) {
  const RawAnswer answer = ask("PUT", item, {}, R"({"name":"chair","colour":"red"})");
  EXPECT_EQ(answer.header("X-Injected"), "");
  EXPECT_THAT(answer.header("Location"), HasSubstr(id));
}

TEST_F(RoutesTest, each_access_rule_lets_in_whom_it_names) {
  const auto status = [&](std::string_view method, std::string_view target,
                          std::string_view headers) { return ask(method, target, headers).status; };
  EXPECT_EQ(status("GET", "/me", ""), 401);
  EXPECT_EQ(status("GET", "/me", "Authorization: Bearer nonsense\r\n"), 401);
  EXPECT_EQ(ask("GET", "/me", "Authorization: bearer ann:customer\r\n").body, R"({"text":"ann"})");
  EXPECT_EQ(status("DELETE", item, ""), 401);
  EXPECT_EQ(status("DELETE", item, "Authorization: Bearer ann:customer\r\n"), 403);
  EXPECT_EQ(status("DELETE", item, "Authorization: Bearer ann:customer,owner\r\n"), 204);
  EXPECT_EQ(status("GET", "/feed", "Authorization: Bearer ann:admin\r\n"), 401);
  EXPECT_EQ(status("GET", "/feed", "Freehold-Identity: forged\r\n"), 401);
  EXPECT_EQ(ask("GET", "/feed", "Freehold-Identity: order\r\n").body, R"({"text":"order"})");
  EXPECT_EQ(ask("GET", "/me").header("WWW-Authenticate"), "Bearer");
  EXPECT_EQ(status("GET", item, "Authorization: Bearer nonsense\r\n"), 200);
}

TEST_F(RoutesTest, a_body_that_says_it_is_no_json_is_not_read) {
  const auto put = [&](const std::string& type) {
    RawClient client{served_.port()};
    return client.ask(request("PUT", item, type, R"({"name":"chair","colour":"red"})"));
  };
  for (const char* type : {"", "Content-Type: application/json\r\n",
                           "Content-Type: application/x-www-form-urlencoded\r\n",
                           "Content-Type: Application/JSON; charset=utf-8\r\n",
                           "Content-Type: application/merge-patch+json\r\n"})
    EXPECT_EQ(put(type).status, 201) << type;
  for (const char* type : {"Content-Type: text/plain\r\n", "Content-Type: multipart/form-data\r\n",
                           "Content-Type: application/jsonp\r\n"}) {
    const RawAnswer refused = put(type);
    EXPECT_EQ(refused.status, 415) << type;
    EXPECT_THAT(refused.body, HasSubstr("unsupported_media_type"));
  }
}

TEST_F(RoutesTest, a_change_needs_the_version_that_was_read) {
  EXPECT_EQ(ask("PATCH", item).status, 428);
  EXPECT_EQ(ask("PATCH", item, "If-Match: 7\r\n").status, 400);
  EXPECT_EQ(ask("PATCH", item, "If-Match: \"6\"\r\n").status, 412);
  EXPECT_EQ(ask("PATCH", item, "If-Match: W/\"7\"\r\n").status, 412);
  const RawAnswer changed = ask("PATCH", item, "If-Match: \"7\"\r\n");
  EXPECT_EQ(changed.status, 204);
  EXPECT_EQ(changed.header("ETag"), "\"8\"");
  EXPECT_EQ(changed.header("Content-Length"), "");
}

TEST_F(RoutesTest, a_version_that_the_caller_has_is_not_sent_again) {
  EXPECT_EQ(ask("GET", item).header("ETag"), "\"7\"");
  for (const char* known : {"\"7\"", "W/\"7\"", "\"6\", \"7\"", "*"}) {
    RawClient client{served_.port()};
    client.send(request("GET", item, "If-None-Match: " + std::string{known} + "\r\n"));
    const RawAnswer answer = client.answer();
    EXPECT_EQ(answer.status, 304) << known;
    EXPECT_EQ(answer.header("ETag"), "\"7\"");
    EXPECT_EQ(answer.body, "");
  }
  EXPECT_EQ(ask("GET", item, "If-None-Match: \"6\"\r\n").status, 200);
}

TEST_F(RoutesTest, a_call_knows_its_trace_its_deadline_and_how_long_to_wait) {
  const std::string trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  RawAnswer answer = ask("GET", "/about",
                         "traceparent: 00-" + trace +
                             "-00f067aa0ba902b7-01\r\nPrefer: respond-async, wait=5\r\n"
                             "Freehold-Timeout-Ms: 1000\r\n");
  EXPECT_EQ(answer.body, "{\"text\":\"" + trace + " 5 soon\"}");
  EXPECT_EQ(answer.header("Preference-Applied"), "wait=5");
  answer = ask("GET", "/about", "traceparent: nonsense\r\nPrefer: wait=99999999999\r\n");
  EXPECT_THAT(answer.body, HasSubstr(" 30 later"));
  EXPECT_EQ(answer.header("Preference-Applied"), "wait=30");
  answer = ask("GET", "/about", "Prefer: wait=-1\r\n");
  EXPECT_THAT(answer.body, HasSubstr(" 0 later"));
  EXPECT_EQ(answer.header("Preference-Applied"), "");
}

TEST_F(RoutesTest, an_error_is_answered_as_a_problem_with_its_own_code) {
  const RawAnswer answer = ask("GET", "/refusal");
  EXPECT_EQ(answer.status, 503);
  EXPECT_EQ(answer.header("Content-Type"), "application/problem+json");
  EXPECT_EQ(answer.header("Retry-After"), "1");
  EXPECT_EQ(answer.body, R"({"type":"/problems/shelf/out_of_order","title":"The lamp is broken.",)"
                         R"("status":503,"detail":"bulb 3","code":"shelf/out_of_order"})");
}

TEST_F(RoutesTest, a_fault_is_recorded_and_its_detail_told_to_services_only) {
  static std::atomic<int> records = 0;
  install_record_sink([](Severity, std::string_view event, std::initializer_list<RecordField>) {
    if (event == "handler failed") ++records;
  });
  const RawAnswer to_anybody = ask("GET", "/fault");
  const RawAnswer to_a_service = ask("GET", "/fault-for-services", "Freehold-Identity: order\r\n");
  install_record_sink(nullptr);
  EXPECT_EQ(to_anybody.status, 503);
  EXPECT_FALSE(to_anybody.body.contains("insert into")) << to_anybody.body;
  EXPECT_TRUE(to_a_service.body.contains("insert into")) << to_a_service.body;
  EXPECT_EQ(records, 2);
}

TEST(Routes, every_answer_is_told_to_the_listener) {
  ServedRoutes served;
  static std::mutex mutex;
  static std::map<std::string, int> told;
  served.routes()
      .get<"/items/{id}">([](GetItem, Call) -> Task<Result<None>> { co_return None{}; })
      .open();
  served.routes().on_answered([](const Answered& answered) {
    const std::scoped_lock lock{mutex};
    told[answered.route ? std::string{answered.route->path()} : "none"] = answered.status;
  });
  served.start();
  RawClient client{served.port()};
  client.ask(request("GET", item));
  client.ask(request("GET", "/elsewhere"));
  const std::scoped_lock lock{mutex};
  EXPECT_EQ(told, (std::map<std::string, int>{{"/items/{id}", 204}, {"none", 404}}));
}

TEST(RoutesDeathTest, declaring_an_address_twice_is_a_bug) {
  const auto declare_twice = [] {
    Routes routes;
    routes.get<"/a/{id}">([](GetItem, Call) -> Task<Result<None>> { co_return None{}; });
    routes.get<"/a/{id}">([](GetItem, Call) -> Task<Result<None>> { co_return None{}; });
  };
  EXPECT_DEATH(declare_twice(), "declared twice");
}

}  // namespace
}  // namespace freehold::http
