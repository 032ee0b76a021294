// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: the contracts of two services. "counter" says what it counted; "keeper"
// keeps numbers in boxes, on its own account or when it is asked to.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "freehold/events/event.h"

namespace freehold {

struct BoxId : Id<BoxId> {};

struct Counted {
  std::string box;
  std::int64_t number;
  static constexpr std::string_view type = "counter.counted.v1";
  static constexpr auto subject = &Counted::box;
};
BOOST_DESCRIBE_STRUCT(Counted, (), (box, number))

// A later version of the same family.
struct CountedAgain {
  std::string box;
  std::int64_t number;
  static constexpr std::string_view type = "counter.counted.v2";
  static constexpr auto subject = &CountedAgain::box;
};
BOOST_DESCRIBE_STRUCT(CountedAgain, (), (box, number))

struct CounterState {
  std::string box;
  std::int64_t total;
  std::int64_t version;
  static constexpr std::string_view type = "counter.state.v1";
  static constexpr auto subject = &CounterState::box;
};
BOOST_DESCRIBE_STRUCT(CounterState, (), (box, total, version))

struct Kept {
  std::int64_t total;
};
BOOST_DESCRIBE_STRUCT(Kept, (), (total))

struct KeepNumber {
  std::string box;
  std::int64_t number;
  using Reply = Kept;
  static constexpr std::string_view type = "keeper.keep_number.v1";
  static constexpr auto subject = &KeepNumber::box;
};
BOOST_DESCRIBE_STRUCT(KeepNumber, (), (box, number))

struct BurnBox {
  BoxId id;
  std::string shelf;
  using Reply = Kept;
  static constexpr std::string_view type = "keeper.burn_box.v1";
  static constexpr auto subject = &BurnBox::id;
  static constexpr auto partition_key = &BurnBox::shelf;
};
BOOST_DESCRIBE_STRUCT(BurnBox, (), (id, shelf))

}  // namespace freehold
