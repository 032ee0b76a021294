// SPDX-License-Identifier: Apache-2.0
//
// The feed as HTTP: see event_log.h for the addresses.
#include <charconv>
#include <optional>

#include "freehold/base/errors.h"
#include "freehold/events/internal/event_ids.h"
#include "freehold/events/internal/event_log_state.h"
#include "freehold/events/internal/log_answer.h"
#include "freehold/http/routes.h"

namespace freehold {
namespace internal {

struct FeedInput {
  std::uint32_t partition = 0;
  std::optional<std::string> lastEventId;  // NOLINT: named by HTTP Feeds
  std::optional<std::int64_t> timeout;     // ms
  std::optional<std::string> types;
  std::optional<std::string> log;
  std::optional<std::string> consumer;
  std::optional<std::string> acknowledged;
};
BOOST_DESCRIBE_STRUCT(FeedInput, (),
                      (partition, lastEventId, timeout, types, log, consumer, acknowledged))

struct StatesInput {
  std::string family;
  std::optional<std::string> after;
  std::optional<std::uint32_t> limit;
};
BOOST_DESCRIBE_STRUCT(StatesInput, (), (family, after, limit))

}  // namespace internal

namespace {

constexpr std::string_view batch_type = "application/cloudevents-batch+json";

Result<FeedQuery> query_of(internal::FeedInput input, const EventId& low) {
  FeedQuery query;
  query.partition = input.partition;
  query.after = low;  // a reader that names no place begins with what is kept
  if (input.lastEventId) {
    FREEHOLD_TRY(query.after, EventId::from_text(*input.lastEventId));
  }
  query.timeout = std::chrono::milliseconds{std::max<std::int64_t>(input.timeout.value_or(0), 0)};
  query.families = internal::split(input.types.value_or(""));
  query.log_id = input.log.value_or("");
  query.consumer = input.consumer.value_or("");
  query.acknowledged = query.after;  // who says nothing else has committed what it asks behind
  if (input.acknowledged) {
    FREEHOLD_TRY(query.acknowledged, EventId::from_text(*input.acknowledged));
  }
  return query;
}

}  // namespace

void EventLog::routes(http::Routes& routes) {
  routes.get<"/feed">(&State::get_log, *state_).internal().described_as("What this log is.");
  routes.get<"/feed/states">(&State::get_states, *state_)
      .internal()
      .described_as("The latest state event of each subject of a family, in pages.");
  routes.get<"/feed/{partition}">(&State::get_range, *state_)
      .internal()
      .described_as("The events after a place in the log, waited for until the timeout.");
}

Task<Result<http::Response>> EventLog::State::get_log(http::None, http::Call) {
  FREEHOLD_CO_TRY(const auto log, co_await describe());
  http::Response response;
  response.headers.add("Content-Type", "application/json");
  write_json(response.body,
             internal::LogAnswer{log.log_id, log_.partitions, internal::texts_of(log.heads),
                                 internal::texts_of(log.lows)});
  co_return response;
}

Task<Result<http::Response>> EventLog::State::get_range(internal::FeedInput input,
                                                        http::Call call) {
  const EventId low = [&] {
    const std::lock_guard lock{mutex_};
    return input.partition < lows_.size() ? lows_[input.partition] : EventId{};
  }();
  FREEHOLD_CO_TRY(auto query, query_of(std::move(input), low));
  FREEHOLD_CO_TRY(auto answer, co_await read(std::move(query), std::string{call.caller_service()}));
  http::Response response;
  response.headers.add("Content-Type", batch_type);
  response.headers.add("Freehold-After", answer.after.text());
  response.headers.add("Freehold-Through", answer.through.text());
  response.headers.add("Freehold-Head", answer.head.text());
  response.headers.add("Freehold-Low", answer.low.text());
  response.headers.add("Freehold-Log", answer.log_id);
  response.body = std::move(answer.body);
  co_return response;
}

// Heads are noted before the page is read: what happens meanwhile lies behind them in the log.
Task<Result<http::Response>> EventLog::State::get_states(internal::StatesInput input, http::Call) {
  constexpr std::size_t events_in_one_read = 64;  // of up to 64 KiB each
  FREEHOLD_CO_TRY(const auto log, co_await describe());
  const std::size_t limit = std::min<std::size_t>(input.limit.value_or(options_.answer_events_max),
                                                  options_.answer_events_max);
  http::Response response;
  response.body = "[";
  std::string after = input.after.value_or("");
  std::size_t events = 0;
  bool more = true;
  while (more && events < limit && response.body.size() < options_.answer_bytes_max) {
    FREEHOLD_CO_TRY(const auto page, co_await database_.read([&](SqlTransaction& transaction) {
      return transaction.books().states_after(input.family, after,
                                              std::min(events_in_one_read, limit - events));
    }));
    more = page.size() == std::min(events_in_one_read, limit - events);
    for (const SubjectState& state : page) {
      if (response.body.size() >= options_.answer_bytes_max) {
        more = true;
        break;
      }
      response.body += events++ == 0 ? "" : ",";
      write_cloud_event(response.body, state);
      after = state.subject;
    }
  }
  response.body += ']';
  response.headers.add("Content-Type", batch_type);
  response.headers.add("Freehold-Heads", internal::joined(internal::texts_of(log.heads)));
  response.headers.add("Freehold-Log", log.log_id);
  if (more && events > 0) response.headers.add("Freehold-Next", after);
  co_return response;
}

}  // namespace freehold
