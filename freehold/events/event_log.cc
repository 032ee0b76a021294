// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/event_log.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/events/internal/event_log_state.h"

namespace freehold {

constexpr int first_looks_max = 6;

EventLog::EventLog(Database& database, std::string service, boost::asio::any_io_executor executor,
                   EventLogOptions options)
    : state_(std::make_shared<State>(database, std::move(service), std::move(executor),
                                     std::move(options))) {
  state_->listen();
}

EventLog::~EventLog() = default;

void EventLog::start() {
  state_->start();
}

Task<> EventLog::stop() {
  return state_->stop();
}

Task<Result<FeedAnswer>> EventLog::read(FeedQuery query, std::string reader) {
  return state_->read(std::move(query), std::move(reader));
}

Task<Result<LogDescription>> EventLog::describe() {
  return state_->describe();
}

Task<Result<std::size_t>> EventLog::sweep() {
  return state_->sweep();
}

std::vector<EventLog::Reader> EventLog::readers() const {
  return state_->readers();
}

EventLog::State::State(Database& database, std::string service,
                       boost::asio::any_io_executor executor, EventLogOptions options)
    : database_(database),
      service_(std::move(service)),
      executor_(std::move(executor)),
      options_(std::move(options)),
      stop_asked_(executor_),
      stopped_(executor_) {
  const auto look = [this] {
    return database_.read_now([this](SqlTransaction& transaction) {
      tails_.clear(), lows_.clear(), elsewhere_.clear();  // of a try before
      Books& books = transaction.books();
      log_ = books.log();
      for (std::uint32_t partition = 0; partition < log_.partitions; ++partition) {
        const Head head = books.head(partition);
        tails_.emplace_back(head.last, options_.tail_bytes_max);
        lows_.push_back(head.low);
        elsewhere_.push_back({.hints = 0, .position = head.last.position});
      }
    });
  };
  Result<> read = look();
  // Where a whole machine starts at once this may take longer than a read may.
  for (int tries = 1; tries < first_looks_max && !read && read.error().is(errors::read_too_long);
       ++tries)
    read = look();
  if (!read) throw std::runtime_error("the log cannot be read: " + read.error().text());
  waiting_.resize(log_.partitions);
}

void EventLog::State::listen() {
  database_.on_appended([self = weak_from_this()](std::span<const StoredEvent> events) {
    if (const auto state = self.lock()) state->appended(events);
  });
  database_.on_appended_elsewhere([self = weak_from_this()] {
    if (const auto state = self.lock()) state->appended_elsewhere();
  });
}

// On the lane's thread, after the commit is durable.
void EventLog::State::appended(std::span<const StoredEvent> events) {
  std::vector<std::size_t> sizes(log_.partitions);
  for (const StoredEvent& event : events) ++sizes[event.id.partition];
  std::vector<internal::LogTail::Chunk> chunks(log_.partitions);
  for (std::uint32_t partition = 0; partition < log_.partitions; ++partition)
    chunks[partition].reserve(sizes[partition]);  // they are kept: no room beside what they hold
  for (const StoredEvent& event : events) chunks[event.id.partition].push_back(event);
  std::vector<std::shared_ptr<internal::Waiter>> woken;
  {
    const std::lock_guard lock{mutex_};
    for (std::uint32_t partition = 0; partition < log_.partitions; ++partition) {
      if (chunks[partition].empty()) continue;
      tails_[partition].append(
          std::make_shared<const internal::LogTail::Chunk>(std::move(chunks[partition])));
      std::ranges::move(std::exchange(waiting_[partition], {}), std::back_inserter(woken));
    }
  }
  FREEHOLD_CRASH_POINT("feed.before_wake_up");
  internal::wake(std::move(woken));
}

// The tail knows nothing of it: who is woken reads the database.
void EventLog::State::appended_elsewhere() {
  std::vector<std::shared_ptr<internal::Waiter>> woken;
  {
    const std::lock_guard lock{mutex_};
    ++hints_;
    for (auto& waiting : waiting_)
      std::ranges::move(std::exchange(waiting, {}), std::back_inserter(woken));
  }
  internal::wake(std::move(woken));
}

Task<Result<LogDescription>> EventLog::State::describe() {
  return database_.read([this](SqlTransaction& transaction) {
    LogDescription description{.log_id = log_.log_id, .heads = {}, .lows = {}};
    for (std::uint32_t partition = 0; partition < log_.partitions; ++partition) {
      const Head head = transaction.books().head(partition);
      description.heads.push_back(head.last);
      description.lows.push_back(head.low);
    }
    return description;
  });
}

// Adds what the reader is shown of `events` to the answer and moves its end over all that was
// looked at. False: the answer is full, and what follows was not looked at.
bool EventLog::State::look(Progress& progress, const internal::FamilyFilter& filter,
                           std::span<const StoredEvent> events) const {
  FeedAnswer& answer = progress.answer;
  for (const StoredEvent& event : events) {
    if (event.id.position <= answer.through.position) continue;
    if (filter.shows(event)) {
      constexpr std::size_t frame_bytes = 128;  // specversion, id and sequence
      const std::size_t bytes = answer.body.size() + event.json.size() + frame_bytes;
      if (answer.events == options_.answer_events_max ||
          (answer.events > 0 && bytes > options_.answer_bytes_max))
        return false;
      answer.body += answer.events++ == 0 ? "" : ",";
      write_cloud_event(answer.body, event);
    }
    answer.through = event.id;
  }
  return true;
}

// False: the tail cannot say what follows the end of the answer.
bool EventLog::State::read_tail(Progress& progress, const internal::FamilyFilter& filter) {
  const FeedAnswer& answer = progress.answer;
  do {
    const auto view = [&] {
      const std::lock_guard lock{mutex_};
      progress.answer.low = lows_[answer.after.partition];
      return tails_[answer.after.partition].after(answer.through, options_.answer_events_max);
    }();
    if (!view) return false;
    progress.answer.head = view->head;
    for (const auto& chunk : view->chunks)
      if (!look(progress, filter, *chunk)) return progress.full = true;
    if (view->chunks.empty()) return true;
  } while (answer.through != answer.head);
  return true;
}

// Whether this log holds the place from which a reader asks.
Result<> EventLog::State::check_place(const EventId& place, const Standing& standing) const {
  const auto& [head, stamp] = standing;
  const auto stands = [&] {
    return "the reader stands at " + place.text() + " of the log of " + service_;
  };
  if (place.position < head.low.position)
    return Error{errors::log_truncated, stands() + ", which was cut up to " + head.low.text()};
  if (place.position > head.last.position || !stamp)
    return Error{errors::log_diverged, stands() + ", which ends with " + head.last.text()};
  if (*stamp != place.stamp)
    return Error{errors::log_diverged, stands() + ", which holds " +
                                           EventId{place.partition, place.position, *stamp}.text() +
                                           " there and ends with " + head.last.text()};
  return {};
}

// Events, end and head come from one snapshot.
Task<Result<>> EventLog::State::read_database(Progress* progress,
                                              const internal::FamilyFilter* filter) {
  const auto read = co_await database_.read([&](SqlTransaction& transaction) -> Result<> {
    Books& books = transaction.books();
    FeedAnswer& answer = progress->answer;
    const Standing standing = books.standing_at(answer.through.partition, answer.through.position);
    FREEHOLD_TRY(check_place(answer.through, standing));
    answer.head = standing.head.last;
    answer.low = standing.head.low;
    const auto events = books.events_after(answer.after.partition, answer.through.position,
                                           options_.answer_events_max, options_.answer_bytes_max);
    progress->full = !look(*progress, *filter, events) || answer.through != answer.head;
    return {};
  });
  co_return read;
}

EventLog::State::Seen EventLog::State::seen(std::uint32_t partition) const {
  const std::lock_guard lock{mutex_};
  const internal::LogTail& tail = tails_[partition];
  const Elsewhere& elsewhere = elsewhere_[partition];
  return {.commits = tail.commits(),
          .hints = hints_,
          .is_in_tail = elsewhere.hints == hints_ && elsewhere.position <= tail.head().position};
}

// The database was read to its head, so it held what the hints before spoke of.
void EventLog::State::note_read(const FeedAnswer& answer, const Seen& before) {
  const std::lock_guard lock{mutex_};
  Elsewhere& elsewhere = elsewhere_[answer.head.partition];
  elsewhere.hints = std::max(elsewhere.hints, before.hints);
  elsewhere.position = std::max(elsewhere.position, answer.head.position);
}

// Waits until something is committed after what was seen, here or elsewhere, or until then. False:
// it is then, and nothing was heard.
Task<bool> EventLog::State::wait(std::uint32_t partition, Seen seen_before,
                                 SteadyClock::time_point until) {
  const auto reader = std::make_shared<internal::Waiter>(co_await boost::asio::this_coro::executor);
  {
    const std::lock_guard lock{mutex_};
    if (stopping_ || tails_[partition].commits() != seen_before.commits ||
        hints_ != seen_before.hints)
      co_return true;
    waiting_[partition].push_back(reader);
  }
  const bool woken = co_await reader->woken.wait(until);
  if (woken) co_return true;
  const std::lock_guard lock{mutex_};
  std::erase(waiting_[partition], reader);
  co_return false;
}

Task<Result<FeedAnswer>> EventLog::State::read(FeedQuery query, std::string reader) {
  if (query.partition >= log_.partitions || query.after.partition != query.partition)
    co_return Error{errors::malformed, "this log has partitions 0 to " +
                                           std::to_string(log_.partitions - 1) +
                                           ", and lastEventId lies in the one that is asked for"};
  if (!query.log_id.empty() && query.log_id != log_.log_id)
    co_return Error{errors::log_diverged, "the reader stands at " + query.after.text() +
                                              " of log " + query.log_id + "; this is log " +
                                              log_.log_id + " of " + service_};
  if (!query.consumer.empty()) note(query, reader);

  const auto timeout = std::min(query.timeout, options_.timeout_max);
  const Deadline deadline = deadline_in(timeout);
  const internal::FamilyFilter filter{std::move(query.families), std::move(reader)};
  Progress progress;
  progress.answer.after = progress.answer.through = query.after;
  progress.answer.log_id = log_.log_id;
  progress.answer.body = "[";
  bool is_told = true;  // else the tail may have missed something
  std::optional<Deadline> hidden_since;
  for (;;) {
    const Seen seen_before = seen(query.partition);
    if (!is_told || !seen_before.is_in_tail || !read_tail(progress, filter)) {
      FREEHOLD_CO_TRY(co_await read_database(&progress, &filter));
      if (!progress.full) note_read(progress.answer, seen_before);
    }
    const FeedAnswer& answer = progress.answer;
    const auto time = SteadyClock::now();
    if (answer.events > 0 || progress.full || time >= deadline) break;
    if (!hidden_since && answer.through != answer.after) hidden_since = time;
    if (hidden_since && time >= *hidden_since + options_.hidden_max) break;
    auto until = std::min(deadline, time + options_.wait_max);
    if (hidden_since) until = std::min(until, *hidden_since + options_.hidden_max);
    is_told = co_await wait(query.partition, seen_before, until);
    if (const std::lock_guard lock{mutex_}; stopping_) break;
  }
  progress.answer.body += ']';
  FREEHOLD_CRASH_POINT("feed.before_answer");
  co_return std::move(progress.answer);
}

}  // namespace freehold
