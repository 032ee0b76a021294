// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/errors.h"

namespace freehold {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

PostgresNeeds needs(const std::string& url) {
  const auto read = needs_of_postgres(url);
  EXPECT_TRUE(read) << read.error().detail();
  return read ? *read : PostgresNeeds{};
}

TEST(PostgresUrl, a_server_over_tcp_needs_its_port_and_the_files_that_it_names) {
  const auto given = needs("postgresql://order_application@10.0.0.1:5433/order?passfile=/a%20b/c");
  EXPECT_EQ(given.port, 5433);
  EXPECT_THAT(given.files, ElementsAre("/a b/c"));
  EXPECT_EQ(needs("postgres://a@db/order").port, 5432);
  EXPECT_THAT(needs("postgresql://a@db/order?sslrootcert=/r&sslcert=/c&sslkey=/k").files,
              ElementsAre("/r", "/c", "/k"));
}

TEST(PostgresUrl, a_server_behind_a_socket_needs_no_port) {
  const auto given = needs("postgresql://a@/order?host=/run/postgresql&port=5433");
  EXPECT_FALSE(given.port);
  EXPECT_THAT(given.files, IsEmpty());
}

TEST(PostgresUrl, a_password_belongs_in_a_file) {
  for (const char* url :
       {"postgresql://a:secret@db/order", "postgresql://a@db/order?password=secret",
        "postgresql://a@db/order?sslcert=/c&sslkey=/k&sslpassword=secret"}) {
    const auto refused = needs_of_postgres(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_TRUE(refused.error().is(errors::malformed_configuration));
    EXPECT_THAT(refused.error().detail(), HasSubstr("?passfile="));
    EXPECT_THAT(refused.error().detail(), Not(HasSubstr("secret")));
  }
}

TEST(PostgresUrl, what_is_no_place_is_refused_and_its_password_not_repeated) {
  for (const char* url : {"host=db dbname=order password=secret", "postgresql://a:secret@db",
                          "postgresql://a:secret@/order", "postgresql://a:secret@db,other/order",
                          "postgresql://a:secret@db:0/order", "postgresql://a:secret@db:x/order",
                          "postgresql://a:secret@db/order?nonsense=1", "mysql://a:secret@db/x"}) {
    const auto refused = needs_of_postgres(url);
    ASSERT_FALSE(refused) << url;
    EXPECT_TRUE(refused.error().is(errors::malformed_configuration));
    EXPECT_THAT(refused.error().detail(), Not(HasSubstr("secret")));
  }
}

}  // namespace
}  // namespace freehold
