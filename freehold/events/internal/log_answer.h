// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/describe.hpp>
#include <cstdint>
#include <string>
#include <vector>

namespace freehold::internal {

// What GET /feed answers.
struct LogAnswer {
  std::string log_id;
  std::uint32_t partitions = 0;
  std::vector<std::string> heads;
  std::vector<std::string> lows;
};
BOOST_DESCRIBE_STRUCT(LogAnswer, (), (log_id, partitions, heads, lows))

}  // namespace freehold::internal
