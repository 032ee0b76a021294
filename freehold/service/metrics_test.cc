// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace freehold {
namespace {

using testing::HasSubstr;

TEST(Metrics, are_read_when_somebody_asks) {
  Metrics metrics;
  double load = 0.25;
  metrics.add(Metrics::Sort::gauge, "load", "How full it is.", [&] { return load; });
  EXPECT_THAT(metrics.text(), HasSubstr("# HELP load How full it is.\n# TYPE load gauge\n"
                                        "load 0.25\n"));
  load = 0.5;
  EXPECT_THAT(metrics.text(), HasSubstr("\nload 0.5\n"));
}

TEST(Metrics, of_one_name_are_told_apart_by_labels_in_quotes) {
  Metrics metrics;
  metrics.add(Metrics::Sort::counter, "events_total", "By source.", [] {
    return std::vector<Metrics::Sample>{{{{"source", "product"}}, 1},
                                        {{{"source", "a \"quoted\"\none"}}, 2}};
  });
  EXPECT_THAT(metrics.text(), HasSubstr("# TYPE events_total counter\n"
                                        "events_total{source=\"product\"} 1\n"
                                        "events_total{source=\"a \\\"quoted\\\"\\none\"} 2\n"));
}

TEST(Metrics, count_answers_that_belong_to_no_route_together) {
  Metrics metrics;
  http::Answered answered{};
  answered.status = 404;
  answered.took = std::chrono::milliseconds{3};
  metrics.answered(answered);
  metrics.answered(answered);
  EXPECT_THAT(metrics.text(),
              HasSubstr("freehold_http_answers_total{method=\"any\",route=\"none\",status=\"404\"}"
                        " 2\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("freehold_http_answer_seconds_bucket{method=\"any\","
                                        "route=\"none\",le=\"0.002\"} 0\n"));
  EXPECT_THAT(metrics.text(), HasSubstr("freehold_http_answer_seconds_bucket{method=\"any\","
                                        "route=\"none\",le=\"0.005\"} 2\n"));
}

TEST(Metrics, are_described_for_the_reference) {
  Metrics metrics;
  metrics.add(Metrics::Sort::gauge, "load", "How full it is.", [] { return 0.0; });
  const auto all = metrics.descriptions();
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.back().name, "load");
  EXPECT_EQ(all.back().sort, "gauge");
  EXPECT_EQ(all.back().sentence, "How full it is.");
}

}  // namespace
}  // namespace freehold
