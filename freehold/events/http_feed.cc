// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/http_feed.h"

#include <optional>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/events/internal/event_ids.h"
#include "freehold/events/internal/log_answer.h"
#include "freehold/http/message.h"
#include "freehold/http/peer.h"
#include "freehold/http/problem.h"
#include "freehold/http/uri.h"
#include "freehold/schema/json.h"

namespace freehold {
namespace {

// A target with its query, as it grows.
class Target {
 public:
  explicit Target(std::string path) : text_(std::move(path)) {}

  Target& with(std::string_view name, std::string_view value) {
    text_ += std::exchange(before_, '&');
    text_ += name;
    text_ += '=';
    http::write_percent_encoded(text_, value);
    return *this;
  }
  Target& with_any(std::string_view name, std::string_view value) {
    return value.empty() ? *this : with(name, value);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
  char before_ = '?';
};

Task<Result<http::Response>> get(http::Peer* peer, std::string target, Deadline deadline) {
  http::Request request;
  request.target = std::move(target);
  FREEHOLD_CO_TRY(auto response, co_await peer->exchange(std::move(request), deadline));
  if (response.status >= 400) co_return http::read_problem(response);
  if (response.status != 200)
    co_return Error{errors::unexpected_answer, "status " + std::to_string(response.status)};
  co_return response;
}

Result<std::string> header(const http::Response& response, std::string_view name) {
  const auto value = response.headers.find(name);
  if (!value) return Error{errors::unexpected_answer, "no " + std::string{name}};
  return std::string{*value};
}

Result<EventId> id_in(const http::Response& response, std::string_view name) {
  FREEHOLD_TRY(const auto text, header(response, name));
  return EventId::from_text(text);
}

}  // namespace

Task<Result<LogDescription>> HttpFeed::describe(Deadline deadline) {
  FREEHOLD_CO_TRY(const auto response, co_await get(&peer_, "/feed", deadline));
  FREEHOLD_CO_TRY(const auto log,
                  read_json<internal::LogAnswer>(response.body, Strictness::tolerant));
  FREEHOLD_CO_TRY(auto heads, internal::ids_of(log.heads));
  FREEHOLD_CO_TRY(auto lows, internal::ids_of(log.lows));
  if (heads.empty() || heads.size() != lows.size())
    co_return Error{errors::unexpected_answer, "a log has a head and a low for each partition"};
  co_return LogDescription{log.log_id, std::move(heads), std::move(lows)};
}

Task<Result<FeedRange>> HttpFeed::read(FeedRequest request, Deadline deadline) {
  Target target{"/feed/" + std::to_string(request.after.partition)};
  target.with("lastEventId", request.after.text())
      .with("timeout", std::to_string(request.timeout.count()))
      .with_any("types", internal::joined(request.families))
      .with_any("log", request.log_id);
  if (!request.consumer.empty())
    target.with("consumer", request.consumer).with("acknowledged", request.acknowledged.text());
  FREEHOLD_CO_TRY(auto response, co_await get(&peer_, target.text(), deadline));
  FeedRange range;
  FREEHOLD_CO_TRY(range.after, id_in(response, "Freehold-After"));
  FREEHOLD_CO_TRY(range.through, id_in(response, "Freehold-Through"));
  FREEHOLD_CO_TRY(range.head, id_in(response, "Freehold-Head"));
  FREEHOLD_CO_TRY(range.low, id_in(response, "Freehold-Low"));
  FREEHOLD_CO_TRY(range.log_id, header(response, "Freehold-Log"));
  FREEHOLD_CO_TRY(range.batch, EventBatch::read(std::move(response.body)));
  co_return range;
}

Task<Result<StatesPage>> HttpFeed::states(std::string family, std::string after_subject,
                                          std::size_t events_max, Deadline deadline) {
  Target target{"/feed/states"};
  target.with("family", family)
      .with_any("after", after_subject)
      .with("limit", std::to_string(events_max));
  FREEHOLD_CO_TRY(auto response, co_await get(&peer_, target.text(), deadline));
  StatesPage page;
  FREEHOLD_CO_TRY(page.log_id, header(response, "Freehold-Log"));
  FREEHOLD_CO_TRY(const auto heads, header(response, "Freehold-Heads"));
  FREEHOLD_CO_TRY(page.heads, internal::ids_of(internal::split(heads)));
  page.next = response.headers.find("Freehold-Next").value_or("");
  FREEHOLD_CO_TRY(page.batch, EventBatch::read(std::move(response.body)));
  co_return page;
}

}  // namespace freehold
