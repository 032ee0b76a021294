// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <vector>

#include "freehold/database/books.h"

namespace freehold::internal {

// The newest events of one partition, in memory: what readers that keep up are answered from. It is
// filled in commit order, after durability, and always holds an unbroken piece of the log that ends
// at its head. Not locked: EventLog does that, for moments only, since what a view holds is shared
// and never changes.
class LogTail {
 public:
  using Chunk = std::vector<StoredEvent>;  // of one commit, never empty

  // A piece of the tail, and the head at the same moment.
  struct View {
    std::vector<std::shared_ptr<const Chunk>> chunks;  // the first may begin before what was asked
    EventId head;
  };

  LogTail(const EventId& head, std::size_t bytes_max)
      : bytes_max_(bytes_max), base_(head), head_(head) {}

  // The events of the next commit. When they do not follow the head (another instance committed in
  // between), what was held is dropped: the piece would be broken.
  void append(std::shared_ptr<const Chunk> chunk);

  // The events after `after`, at least `events_max` of them if there are so many. nullopt: the tail
  // does not reach back there, does not reach there yet, or holds another event at this position.
  std::optional<View> after(const EventId& after, std::size_t events_max) const;

  const EventId& head() const { return head_; }
  std::uint64_t commits() const { return commits_; }  // grows with each append

 private:
  struct Kept {
    std::shared_ptr<const Chunk> events;
    std::size_t bytes;
  };
  bool holds(const EventId& id) const;
  std::deque<Kept>::const_iterator first_after(std::uint64_t position) const;

  std::size_t bytes_max_;
  std::optional<EventId> base_;  // the event before the first kept; nullopt: not known
  EventId head_;
  std::uint64_t commits_ = 0;
  std::size_t bytes_ = 0;
  std::deque<Kept> kept_;
};

}  // namespace freehold::internal
