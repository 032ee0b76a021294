// SPDX-License-Identifier: Apache-2.0
//
// Commits whose answer is lost. Whatever the network does, the effect of a transaction that is told
// to have succeeded is there once.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "freehold/base/random.h"
#include "freehold/database/postgres/cutting_proxy.h"
#include "freehold/database/postgres/temporary_postgres.h"

namespace freehold {
namespace {

using Cut = CuttingProxy::Cut;
using testing::HasSubstr;

class UnknownCommit : public PostgresTest {
 protected:
  UnknownCommit() : proxy_(cluster().socket()) {
    create_notes();
    std::string through_proxy = url();
    through_proxy.resize(through_proxy.find("?host="));
    database_ = open(options(through_proxy + "?host=" + proxy_.directory().string()));
  }

  Result<> write_note(std::int64_t id) {
    return write(*database_, [id](SqlTransaction& transaction) -> Result<> {
      transaction.run(insert_note, id, "text");
      transaction.append({.type = "note.written.v1",
                          .subject = std::to_string(id),
                          .partition_key = std::to_string(id),
                          .recipient = {},
                          .json = "\"data\":" + std::to_string(id)});
      return {};
    });
  }

  CuttingProxy proxy_;
  std::unique_ptr<PostgresDatabase> database_;
};

TEST_F(UnknownCommit, has_its_effect_once_wherever_the_connection_is_cut) {
  constexpr int rounds = 240;
  int late = 0;
  for (int id = 1; id <= rounds; ++id) {
    constexpr Cut cuts[] = {Cut::message, Cut::answer, Cut::delay};
    proxy_.arm(cuts[id % 3], static_cast<int>(Random::current().below(1001)));
    const Result<> outcome = write_note(id);
    ASSERT_TRUE(outcome) << id << ": " << outcome.error().text();
    ASSERT_FALSE(proxy_.is_armed()) << "nothing was cut in round " << id;
    const std::string answer = proxy_.deliver_late();
    if (answer.empty()) continue;
    ++late;
    ASSERT_THAT(answer, HasSubstr("23505")) << "a straggler was let in after its end was settled";
  }
  EXPECT_EQ(late, rounds / 3);
  EXPECT_EQ(sql("select count(*) from note"), std::to_string(rounds));
  EXPECT_EQ(sql("select count(distinct id) from note"), std::to_string(rounds));
  EXPECT_EQ(sql("select count(*) from freehold_event"), std::to_string(rounds));
  EXPECT_EQ(sql("select position from freehold_head"), std::to_string(rounds));
  EXPECT_GE(database_->statistics().commits_unknown, static_cast<unsigned>(rounds));
  EXPECT_GE(database_->statistics().commits_found, static_cast<unsigned>(rounds / 3));
}

TEST_F(UnknownCommit, runs_what_follows_a_commit_when_it_is_found_to_have_happened) {
  std::promise<void> followed;
  proxy_.arm(Cut::answer);
  ASSERT_TRUE(write(*database_, [&](SqlTransaction& transaction) -> Result<> {
    transaction.run(insert_note, 1, "text");
    transaction.on_commit([&] { followed.set_value(); });
    return {};
  }));
  EXPECT_EQ(followed.get_future().wait_for(patience), std::future_status::ready);
  EXPECT_EQ(database_->statistics().commits_found, 1U);
}

TEST_F(UnknownCommit, leaves_no_more_markers_than_it_needs) {
  for (int id = 1; id <= 200; ++id) ASSERT_TRUE(write_note(id));
  EXPECT_LE(std::stoi(sql("select count(*) from freehold_commit")), 64);
}

}  // namespace
}  // namespace freehold
