// SPDX-License-Identifier: Apache-2.0
//
// Registered readers, and the prefix of the log that nobody needs any more.
#include <algorithm>
#include <boost/asio/co_spawn.hpp>
#include <chrono>

#include "freehold/base/crash_point.h"
#include "freehold/base/record.h"
#include "freehold/events/internal/event_log_state.h"

namespace freehold {

namespace asio = boost::asio;
using namespace std::chrono_literals;

// A reader that stands still is noted again this often, so that the database knows it lives.
static constexpr auto reader_seen_every = 60s;

void EventLog::State::note(const FeedQuery& query, const std::string& reader) {
  const std::lock_guard lock{mutex_};
  RegisteredReader& registered = readers_[{reader, query.consumer, query.partition}];
  registered.acknowledged = query.acknowledged;
  registered.seen = now();
}

std::vector<EventLog::Reader> EventLog::State::readers() const {
  const std::lock_guard lock{mutex_};
  std::vector<Reader> readers;
  readers.reserve(readers_.size());
  for (const auto& [name, reader] : readers_)
    readers.push_back({std::get<0>(name), std::get<1>(name), std::get<2>(name), reader.acknowledged,
                       reader.seen});
  return readers;
}

// Off the path of the events: what a crash loses here, the reader's next request repeats.
Task<> EventLog::State::write_readers() {
  std::vector<ReaderRecord> changed;
  {
    const std::lock_guard lock{mutex_};
    for (auto& [name, reader] : readers_) {
      if (reader.noted_at != Time{} && reader.noted == reader.acknowledged &&
          reader.seen < reader.noted_at + reader_seen_every)
        continue;
      reader.noted = reader.acknowledged;
      reader.noted_at = reader.seen;
      changed.push_back({std::get<0>(name), std::get<1>(name), std::get<2>(name),
                         reader.acknowledged, reader.seen});
    }
  }
  if (changed.empty()) co_return;
  const Result<> written = co_await database_.write([&](SqlTransaction& transaction) {
    for (const ReaderRecord& reader : changed) transaction.books().note_reader(reader);
  });
  if (written) co_return;
  record(Severity::warning, "readers of the log were not noted",
         {{"error", written.error().text()}});
  const std::lock_guard lock{mutex_};
  for (const ReaderRecord& reader : changed)
    if (const auto found = readers_.find({reader.service, reader.consumer, reader.partition});
        found != readers_.end())
      found->second.noted_at = Time{};
}

// Of several instances one sweeps, and who would sweep too waits for its transaction: two that cut
// at one time would each take the other's cut for a hole.
bool EventLog::State::sweeps(SqlTransaction& transaction) const {
  return !database_.is_shared() ||
         transaction.books().take_lease("retention", options_.owner, 3s).has_value();
}

// Dying before its commit leaves everything; after it, low and what lies behind it agree.
EventLog::State::Cut EventLog::State::cut_piece(SqlTransaction& transaction,
                                                std::uint32_t partition) const {
  auto age = options_.age;
  for (const auto& [family, longer] : options_.age_of_family) age = std::max(age, longer);
  Books& books = transaction.books();
  Cut cut;
  const std::uint64_t lost_before =
      books.position_before(partition, now() - options_.reader_lost_after);
  std::uint64_t end = books.position_before(partition, now() - age);
  for (ReaderRecord& reader : books.lock_readers()) {
    if (reader.partition != partition) continue;
    if (reader.acknowledged.position < lost_before) {
      books.forget_reader(reader.service, reader.consumer);
      cut.lost.push_back(std::move(reader));
    } else {
      end = std::min(end, reader.acknowledged.position);
    }
  }
  if (end > books.head(partition).low.position)
    cut.deleted = books.cut(partition, end, options_.sweep_events_max);
  cut.head = books.head(partition);
  cut.done = cut.head.low.position >= end;
  FREEHOLD_CRASH_POINT("feed.before_cut_commits");
  return cut;
}

void EventLog::State::forget(const std::vector<ReaderRecord>& lost) {
  for (const ReaderRecord& reader : lost) {
    record(Severity::error, "a reader of the log is lost: its events are no longer kept",
           {{"service", reader.service},
            {"consumer", reader.consumer},
            {"acknowledged", reader.acknowledged.text()},
            {"seen", to_text(reader.seen)}});
    const std::lock_guard lock{mutex_};
    std::erase_if(readers_, [&](const auto& entry) {
      return std::get<0>(entry.first) == reader.service &&
             std::get<1>(entry.first) == reader.consumer;
    });
  }
}

Task<Result<std::size_t>> EventLog::State::sweep() {
  co_await write_readers();
  std::size_t deleted = 0;
  for (std::uint32_t partition = 0; partition < log_.partitions; ++partition) {
    for (bool done = false; !done;) {
      FREEHOLD_CO_TRY(const Cut cut, co_await database_.write_alone(
                                         [this, partition](SqlTransaction& transaction) {
                                           if (sweeps(transaction))
                                             return cut_piece(transaction, partition);
                                           return Cut{.head = transaction.books().head(partition)};
                                         }));
      deleted += cut.deleted;
      done = cut.done;
      forget(cut.lost);
      const std::lock_guard lock{mutex_};
      lows_[partition] = cut.head.low;
    }
  }
  co_return deleted;
}

void EventLog::State::start() {
  at_work_ = true;
  asio::co_spawn(
      executor_, [self = shared_from_this()] { return self->upkeep(); },
      [](const std::exception_ptr& fault) {
        FREEHOLD_ASSERT(!fault, "the upkeep of the log failed");
      });
}

Task<> EventLog::State::upkeep() {
  const auto self = shared_from_this();
  auto next_sweep = SteadyClock::now() + options_.sweep_every;
  while (!co_await stop_asked_.wait(SteadyClock::now() + options_.note_readers_every)) {
    co_await write_readers();
    if (SteadyClock::now() < next_sweep) continue;
    const auto swept = co_await sweep();
    if (!swept) record(Severity::warning, "the log was not cut", {{"error", swept.error().text()}});
    next_sweep = SteadyClock::now() + options_.sweep_every;
  }
  co_await write_readers();
  at_work_ = false;
  stopped_.give();
}

Task<> EventLog::State::stop() {
  std::vector<std::shared_ptr<internal::Waiter>> woken;
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    for (auto& waiting : waiting_)
      std::ranges::move(std::exchange(waiting, {}), std::back_inserter(woken));
  }
  internal::wake(std::move(woken));
  stop_asked_.give();
  while (at_work_) co_await stopped_.wait(SteadyClock::time_point::max());
}

}  // namespace freehold
