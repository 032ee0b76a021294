// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/events/consumer.h"
#include "freehold/events/feed.h"

namespace freehold::internal {

// What was read of one partition and is not committed yet. The reading thread adds ranges and takes
// away what is committed; the lane's thread looks at what has come, and notes how far it has
// applied it. Nothing leaves before it is committed, so a batch that is undone sets that note back
// and is taken again.
//
// One job of the lane may run while the outcome of the one before is still on its way here: it
// takes what lies behind that one's.
class Intake {
 public:
  // One event, or (event == nullptr) the end of a range whose last events were hidden.
  struct Item {
    std::shared_ptr<const EventBatch> batch;
    const CloudEvent* event = nullptr;
    Consumer::Decoded decoded;
    EventId to;  // the cursor once this is applied
  };
  // The oldest items that are not applied, and the cursor before and after them. The items stay
  // until committed().
  struct Taken {
    EventId from;
    EventId to;
    std::vector<const Item*> items;
    std::size_t events = 0;

    const CloudEvent* first_event() const;  // nullptr: only the ends of ranges
  };

  explicit Intake(const EventId& cursor) : cursor_(cursor), applied_(cursor), end_(cursor) {}

  // Adds what was read. Refused: log_diverged, naming both places, when the range does not begin
  // where the last one ended: then something would be skipped.
  Result<> add(const FeedRange& range, const Consumer& consumer);

  // The lane's thread.
  Taken take(std::size_t events_max) const;
  // How far its transactions have come: to where a body has applied, or, when that one is undone,
  // to where it began.
  void applied(const EventId& to);

  // The reading thread. Nothing before `to` is needed any more.
  void committed(const EventId& to);

  bool has_unapplied() const;
  // The first that is not committed; nullptr: only the ends of ranges, or nothing.
  const CloudEvent* first_event() const;
  bool is_full(std::size_t events_max, std::size_t bytes_max) const;
  EventId cursor() const;  // committed
  EventId end() const;     // read

 private:
  mutable std::mutex mutex_;
  EventId cursor_;   // committed, as far as the reading thread was told
  EventId applied_;  // by the lane's transactions, the one under way included
  EventId end_;
  std::deque<Item> items_;
  std::size_t bytes_ = 0;
};

}  // namespace freehold::internal
