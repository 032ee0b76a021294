// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/transaction.h"

#include <algorithm>
#include <utility>

#include "freehold/base/errors.h"

namespace freehold {
namespace {

constexpr std::size_t event_bytes_max = 64 * 1024;

std::int64_t microseconds_of(Time time) {
  return time.time_since_epoch().count();
}

}  // namespace

void Transaction::append(NewEvent event) {
  FREEHOLD_ASSERT(access_ == Access::write, "a read appends no events");
  const std::size_t bytes = event.json.size() + event.type.size() + event.subject.size() +
                            event.partition_key.size() + event.recipient.size();
  if (bytes > event_bytes_max) throw internal::Refused{{errors::event_too_large, event.type}};
  events_.push_back(std::move(event));
}

void Transaction::on_commit(std::move_only_function<void()> what) {
  FREEHOLD_ASSERT(access_ == Access::write, "a read commits nothing");
  on_commit_.push_back(std::move(what));
}

void Transaction::on_rollback(std::move_only_function<void()> what) {
  FREEHOLD_ASSERT(access_ == Access::write, "a read undoes nothing");
  on_rollback_.push_back(std::move(what));
}

void Transaction::changed(std::string subject, std::any news) {
  if (!watches_) return;
  on_commit([watches = watches_, subject = std::move(subject), news = std::move(news)] {
    watches->changed(subject, news);
  });
}

void Transaction::erased() {
  books().put_document(internal::erasure_document, std::to_string(microseconds_of(now())));
}

Transaction::Mark Transaction::mark() const {
  return {events_.size(), on_commit_.size(), on_rollback_.size(), writes()};
}

// Newest first, as the writes are undone.
void Transaction::undo_in_memory(const Mark& mark) {
  events_.resize(mark.events);
  on_commit_.resize(mark.on_commit);
  while (on_rollback_.size() > mark.on_rollback) {
    std::move_only_function<void()> undo = std::move(on_rollback_.back());
    on_rollback_.pop_back();
    undo();
  }
}

namespace internal {

std::vector<int> matched_columns(std::span<const std::string> names,
                                 std::span<const std::string_view> columns, std::string_view text) {
  const auto complain = [&](std::string what) {
    what.append(" in: ").append(text);
    FREEHOLD_ASSERT(false, what.c_str());
  };
  std::vector<int> column_of;
  for (const std::string& name : names) {
    const auto found = std::ranges::find(columns, name);
    if (found == columns.end()) complain("no column for the member `" + name + "`");
    column_of.push_back(static_cast<int>(found - columns.begin()));
  }
  for (std::string_view column : columns)
    if (std::ranges::find(names, column) == names.end())
      complain("no member for the column `" + std::string{column} + "`");
  if (columns.size() != names.size()) complain("a column stands twice");
  return column_of;
}

}  // namespace internal
}  // namespace freehold
