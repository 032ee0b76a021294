// SPDX-License-Identifier: Apache-2.0
#include "freehold/base/errors.h"

#include <gtest/gtest.h>

#include <set>

namespace freehold {
namespace {

TEST(Errors, every_row_of_the_table_is_an_object_with_a_name_of_its_own) {
  std::set<std::string_view> names;
  for (const ErrorCode* code : errors::all) {
    EXPECT_TRUE(names.insert(code->name).second) << code->name;
    EXPECT_EQ(code->service, "freehold");
    EXPECT_FALSE(code->sentence.empty());
  }
  EXPECT_TRUE(names.contains("malformed"));
}

TEST(Errors, an_error_is_known_by_service_and_name) {
  const Error error{errors::disk_full, "No space left on /data"};
  EXPECT_TRUE(error.is(errors::disk_full));
  EXPECT_FALSE(error.is(errors::overloaded));
  EXPECT_FALSE((Error{"order", "disk_full", Kind::unavailable, "", ""}.is(errors::disk_full)));
  EXPECT_EQ(error.text(),
            "freehold/disk_full: The service's disk is full. (No space left on /data)");
}

TEST(Errors, a_kind_is_known_by_its_name) {
  for (const Kind kind : every_kind) EXPECT_EQ(kind_from_name(name_of(kind)), kind);
  EXPECT_EQ(kind_from_name("nonsense"), std::nullopt);
}

TEST(Errors, the_kind_alone_gives_the_http_status) {
  EXPECT_EQ(http_status(Kind::refused), 422);
  EXPECT_EQ(http_status(Kind::unavailable), 503);
  EXPECT_EQ(http_status(Kind::indeterminate), 504);
}

}  // namespace
}  // namespace freehold
