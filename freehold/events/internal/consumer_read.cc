// SPDX-License-Identifier: Apache-2.0
//
// How a consumer reads its source's log, and how it finds its way back to one that went back.
#include <algorithm>
#include <optional>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/events/internal/consumer_run.h"

namespace freehold {

// Reads ahead of the cursor. That each range joins what was read before is checked when it is
// handed over, so nothing can be skipped between a source and the transaction that moves the
// cursor.
Task<> ConsumerLoop::Run::read(PartitionPointer partition) {
  const auto self = shared_from_this();
  internal::Backoff backoff{options_.backoff_first, options_.backoff_max};
  while (!partition->ended) {
    if (partition->intake.is_full(options_.pending_events_max, options_.pending_bytes_max)) {
      co_await partition->room.wait(SteadyClock::time_point::max());
      continue;
    }
    const auto range =
        co_await source_.read(FeedRequest{.after = partition->intake.end(),
                                          .log_id = partition->log_id,
                                          .families = families_,
                                          .timeout = options_.poll_timeout,
                                          .consumer = consumer_.name(),
                                          .acknowledged = partition->intake.cursor()},
                              deadline_in(options_.poll_timeout + options_.answer_timeout));
    if (partition->ended) co_return;
    const Result<> added = range ? partition->intake.add(*range, consumer_) : range.error();
    if (added) {
      backoff.reset();
      works();
      {
        const std::lock_guard lock{status_mutex_};
        status_.partitions[range->through.partition].head = range->head;
      }
      offer(partition);
    } else if (added.error().is(errors::log_diverged) || added.error().is(errors::log_truncated)) {
      co_return end(End::diverged, name_ + " stands at " + partition->intake.end().text() +
                                       " of log " + partition->log_id + ": " +
                                       added.error().text());
    } else {
      waits(consumer_.source(), added.error());
      const auto until = backoff.next();
      while (!partition->ended && SteadyClock::now() < until) co_await partition->room.wait(until);
    }
  }
}

Task<Result<bool>> ConsumerLoop::Run::source_holds(EventId place) {
  const auto range = co_await source_.read(FeedRequest{.after = place, .families = families_},
                                           deadline_in(options_.answer_timeout));
  if (range) co_return true;
  if (range.error().is(errors::log_diverged)) co_return false;
  co_return range.error();
}

// The newest place that this consumer has been at and that the source's log still holds. Two logs
// that parted never meet again, so the places are searched by halves.
Task<Result<ConsumerLoop::Run::Return>> ConsumerLoop::Run::common_place(std::uint32_t partition) {
  FREEHOLD_CO_TRY(auto known, co_await database_.read([this, partition](SqlTransaction& t) {
    const auto cursor = t.books().cursor(name_, partition);
    return std::pair{cursor ? std::optional{cursor->at} : std::nullopt,
                     t.books().waypoints(name_, partition)};  // the last comes first
  }));
  auto& [stands_at, places] = known;
  if (stands_at) places.insert(places.begin(), *stands_at);
  places.push_back(EventId{.partition = partition});
  std::size_t first = 0;
  std::size_t last = places.size() - 1;  // every log holds its own beginning
  while (first < last) {
    const std::size_t middle = first + (last - first) / 2;
    const Result<bool> held = co_await source_holds(places[middle]);
    if (!held && !held.error().is(errors::log_truncated)) co_return held.error();
    if (held && !*held)
      first = middle + 1;
    else
      last = middle;
  }
  FREEHOLD_CO_TRY(const bool held, co_await source_holds(places[first]));
  if (!held)
    co_return Error{errors::log_diverged, consumer_.source() + " does not hold its own beginning"};
  co_return Return{.from = stands_at, .to = places[first]};
}

// Under the lease, so that nobody else moves what is looked at here. A former owner may have had a
// transaction under way when it lost the lease; what it committed is not undone.
//
// Dying before the commit leaves it stopped with its report; after it, the next start goes on from
// the common places.
Task<Result<>> ConsumerLoop::Run::return_to_common_places() {
  FREEHOLD_CO_TRY(log_, co_await source_.describe(deadline_in(options_.answer_timeout)));
  std::vector<Return> returns;
  for (std::uint32_t partition = 0; partition < log_.heads.size(); ++partition) {
    FREEHOLD_CO_TRY(const Return found, co_await common_place(partition));
    returns.push_back(found);
  }
  co_return co_await database_.write([this, returns](SqlTransaction& transaction) -> Result<> {
    Books& books = transaction.books();
    std::vector<EventId> places;
    for (const auto& [from, to] : returns) {
      if (from && !books.move_cursor(name_, *from, *from, epoch_))
        return Error{errors::not_the_owner, name_};
      places.push_back(to);
    }
    if (!books.holds_lease(name_, epoch_)) return Error{errors::not_the_owner, name_};
    begin_cursors(transaction, places);
    write_notes(transaction, {});
    return {};
  });
}

Task<Result<>> ConsumerLoop::Run::rejoin() {
  const auto self = shared_from_this();
  co_await stop();
  Result<> returned = co_await seize_lease();
  if (returned) {
    end_ = End::none;  // so that a lease that is lost is heard of
    spawn(keep_lease());
    returned = co_await return_to_common_places();
    end(End::again, "");
    while (tasks_ > 0) co_await tasks_ended_.wait(SteadyClock::time_point::max());
  }
  start();
  co_return returned;
}

}  // namespace freehold
