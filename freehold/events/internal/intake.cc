// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/internal/intake.h"

#include <algorithm>
#include <ranges>
#include <utility>

#include "freehold/base/errors.h"

namespace freehold::internal {
namespace {

std::size_t bytes_of(const Intake::Item& item) {
  return sizeof item + (item.event ? item.event->whole.size() : 0);
}

// Whether the range is what it says: its events lie in it, in order.
Result<> check(const FeedRange& range) {
  std::uint64_t before = range.after.position;
  for (const CloudEvent& event : range.batch->events()) {
    if (event.id.partition != range.after.partition || event.id.position <= before ||
        event.id.position > range.through.position)
      return Error{errors::log_diverged, "the source sent " + event.id.text() +
                                             " in the range from " + range.after.text() + " to " +
                                             range.through.text()};
    before = event.id.position;
  }
  if (range.through.partition != range.after.partition ||
      range.through.position < range.after.position ||
      (range.through.position == range.after.position && range.through != range.after))
    return Error{errors::log_diverged, "the source sent a range from " + range.after.text() +
                                           " to " + range.through.text()};
  return {};
}

}  // namespace

const CloudEvent* Intake::Taken::first_event() const {
  for (const Item* item : items)
    if (item->event) return item->event;
  return nullptr;
}

Result<> Intake::add(const FeedRange& range, const Consumer& consumer) {
  FREEHOLD_TRY(check(range));
  std::vector<Item> items;
  for (const CloudEvent& event : range.batch->events())
    items.push_back({range.batch, &event, consumer.decode(event.type, event.data), event.id});

  const std::lock_guard lock{mutex_};
  if (range.after != end_)
    return Error{errors::log_diverged, "the range does not join: what was read ends with " +
                                           end_.text() + ", the source sent what follows " +
                                           range.after.text()};
  if (range.through == end_) return {};
  if (items.empty() || items.back().to.position < range.through.position) {
    if (items.empty() && !items_.empty() && !items_.back().event)
      items_.back().to = range.through;
    else
      items.push_back({{}, nullptr, {}, range.through});
  }
  for (Item& item : items) {
    bytes_ += bytes_of(item);
    items_.push_back(std::move(item));
  }
  end_ = range.through;
  return {};
}

Intake::Taken Intake::take(std::size_t events_max) const {
  const std::lock_guard lock{mutex_};
  Taken taken{applied_, applied_, {}, 0};
  const auto position = [](const Item& item) { return item.to.position; };
  const auto first = std::ranges::upper_bound(items_, applied_.position, {}, position);
  for (const Item& item : std::ranges::subrange(first, items_.end())) {
    if (item.event && taken.events == events_max) break;
    taken.events += item.event ? 1 : 0;
    taken.items.push_back(&item);
    taken.to = item.to;
  }
  return taken;
}

void Intake::applied(const EventId& to) {
  const std::lock_guard lock{mutex_};
  applied_ = to;
}

void Intake::committed(const EventId& to) {
  const std::lock_guard lock{mutex_};
  while (!items_.empty() && items_.front().to.position <= to.position) {
    bytes_ -= bytes_of(items_.front());
    items_.pop_front();
  }
  cursor_ = to;
}

bool Intake::has_unapplied() const {
  const std::lock_guard lock{mutex_};
  return !items_.empty() && items_.back().to.position > applied_.position;
}

const CloudEvent* Intake::first_event() const {
  const std::lock_guard lock{mutex_};
  for (const Item& item : items_)
    if (item.event) return item.event;
  return nullptr;
}

bool Intake::is_full(std::size_t events_max, std::size_t bytes_max) const {
  const std::lock_guard lock{mutex_};
  return items_.size() >= events_max || bytes_ >= bytes_max;
}

EventId Intake::cursor() const {
  const std::lock_guard lock{mutex_};
  return cursor_;
}

EventId Intake::end() const {
  const std::lock_guard lock{mutex_};
  return end_;
}

}  // namespace freehold::internal
