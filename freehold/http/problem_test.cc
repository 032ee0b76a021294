// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/problem.h"

#include <gtest/gtest.h>

#include "freehold/base/errors.h"

namespace freehold::http {
namespace {

TEST(Problem, every_error_of_the_toolkit_comes_back_as_it_was) {
  for (const ErrorCode* code : errors::all) {
    const Error error{*code, "what was \"wrong\" here"};
    Response response;
    write_problem(response, error);
    EXPECT_EQ(read_problem(response), error);
  }
}

TEST(Problem, an_error_of_an_unknown_service_keeps_its_name_and_its_kind) {
  for (Kind kind : {Kind::invalid, Kind::not_found, Kind::conflict, Kind::refused, Kind::throttled,
                    Kind::unavailable, Kind::indeterminate, Kind::internal}) {
    const Error error{"shelf", "broken", kind, "It is broken.", ""};
    Response response;
    write_problem(response, error);
    EXPECT_EQ(read_problem(response), error);
  }
}

TEST(Problem, http_has_finer_statuses_for_some) {
  EXPECT_EQ(status_of(errors::method_not_allowed), 405);
  EXPECT_EQ(status_of(errors::too_slow), 408);
  EXPECT_EQ(status_of(errors::log_diverged), 409);
  EXPECT_EQ(status_of(errors::log_truncated), 410);
  EXPECT_EQ(status_of(errors::too_large), 413);
  EXPECT_EQ(status_of(errors::unsupported_media_type), 415);
  EXPECT_EQ(status_of(errors::event_too_large), 422);
}

TEST(Problem, a_page_of_a_proxy_tells_what_its_status_tells) {
  const auto read = [](int status) {
    Response response;
    response.status = status;
    response.body = "<html>";
    return read_problem(response);
  };
  EXPECT_TRUE(read(502).is(errors::peer_unavailable));
  EXPECT_TRUE(read(503).is(errors::peer_unavailable));
  EXPECT_TRUE(read(504).is(errors::deadline_exceeded));
  EXPECT_TRUE(read(500).is(errors::unexpected_answer));
  EXPECT_TRUE(read(404).is(errors::unexpected_answer));
}

TEST(Problem, says_when_to_try_again) {
  Response response;
  write_problem(response, errors::overloaded);
  EXPECT_EQ(response.headers.find("Retry-After"), "1");
  write_problem(response, Error{errors::overloaded}.retry_after(std::chrono::seconds{73}));
  EXPECT_EQ(response.headers.find("Retry-After"), "73");
}

TEST(Problem, replaces_what_the_answer_held) {
  Response response;
  response.headers.add("ETag", "\"7\"");
  response.body = "half";
  write_problem(response, errors::not_found);
  EXPECT_FALSE(response.headers.find("ETag"));
  EXPECT_TRUE(response.body.starts_with("{"));
}

}  // namespace
}  // namespace freehold::http
