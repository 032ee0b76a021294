// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/internal/log_tail.h"

#include <algorithm>

namespace freehold::internal {
namespace {

std::size_t bytes_of(const LogTail::Chunk& chunk) {
  std::size_t bytes = 0;
  for (const StoredEvent& event : chunk)
    bytes += sizeof event + event.type.size() + event.recipient.size() + event.json.size();
  return bytes;
}

}  // namespace

void LogTail::append(std::shared_ptr<const Chunk> chunk) {
  if (chunk->front().id.position != head_.position + 1) {
    kept_.clear();
    bytes_ = 0;
    base_ = std::nullopt;
  }
  head_ = chunk->back().id;
  const std::size_t bytes = bytes_of(*chunk);
  kept_.push_back({std::move(chunk), bytes});
  bytes_ += bytes;
  ++commits_;
  while (bytes_ > bytes_max_ && kept_.size() > 1) {
    base_ = kept_.front().events->back().id;
    bytes_ -= kept_.front().bytes;
    kept_.pop_front();
  }
}

std::deque<LogTail::Kept>::const_iterator LogTail::first_after(std::uint64_t position) const {
  return std::ranges::upper_bound(kept_, position, {},
                                  [](const Kept& kept) { return kept.events->back().id.position; });
}

bool LogTail::holds(const EventId& id) const {
  if (base_ && *base_ == id) return true;
  if (head_ == id) return true;
  if (id.position == 0) return false;
  const auto kept = first_after(id.position - 1);
  if (kept == kept_.end() || kept->events->front().id.position > id.position) return false;
  return (*kept->events)[id.position - kept->events->front().id.position].id == id;
}

std::optional<LogTail::View> LogTail::after(const EventId& after, std::size_t events_max) const {
  if (!holds(after)) return std::nullopt;
  View view{{}, head_};
  std::size_t events = 0;
  for (auto kept = first_after(after.position); kept != kept_.end() && events < events_max;
       ++kept) {
    const EventId& first = kept->events->front().id;
    const std::uint64_t skipped =
        after.position >= first.position ? after.position - first.position + 1 : 0;
    events += kept->events->size() - skipped;
    view.chunks.push_back(kept->events);
  }
  return view;
}

}  // namespace freehold::internal
