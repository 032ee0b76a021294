// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/authentication.h"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/base/run_on.h"

namespace freehold {
namespace {

constexpr std::chrono::seconds fetch_max{5};
constexpr std::string_view keys_document = "issuer_keys";

// While it lives, others wait for these keys too, but no longer than fetch_max.
class Fetching {
 public:
  using Timer = boost::asio::basic_waitable_timer<SteadyClock>;

  Fetching(bool& is_fetching, Timer& fetched) : is_fetching_(is_fetching), fetched_(fetched) {
    is_fetching_ = true;
    fetched_.expires_after(fetch_max);
  }
  Fetching(const Fetching&) = delete;
  Fetching& operator=(const Fetching&) = delete;
  ~Fetching() {
    is_fetching_ = false;
    fetched_.cancel();
  }

 private:
  bool& is_fetching_;
  Timer& fetched_;
};

}  // namespace

CallerAuthentication::CallerAuthentication(std::string service, std::filesystem::path trust,
                                           const boost::asio::any_io_executor& executor)
    : service_(std::move(service)),
      executor_(executor),
      trust_(std::move(trust)),
      fetched_(executor, SteadyClock::time_point::max()) {}

void CallerAuthentication::believe(std::string issuer, std::string audience, Database& database,
                                   FetchKeys fetch) {
  verifier_.emplace(identity::TokenVerifier::Options{.issuer = std::move(issuer),
                                                     .audience = std::move(audience)});
  database_ = &database;
  fetch_ = std::move(fetch);
  std::optional<std::string> kept;
  const auto read = database.read_now(
      [&](SqlTransaction& transaction) { kept = transaction.books().document(keys_document); });
  if (!read || !kept) return;
  is_kept_ = true;
  if (const auto usable = adopt(*kept); !usable)
    record(Severity::warning, "kept issuer keys are unusable", {{"why", usable.error().text()}});
}

Task<Result<http::Caller>> CallerAuthentication::user(std::string bearer) {
  if (!verifier_) co_return errors::unauthenticated;
  auto claims = claims_of(bearer);
  if (!claims) claims = co_await run_on(executor_, fetch_keys_for(std::move(bearer)));
  if (!claims) co_return claims.error();
  co_return http::Caller{.subject = std::move(claims->subject),
                         .roles = std::move(claims->roles),
                         .until = claims->expires_at + identity::clock_skew_max};
}

// A second time, for a fetch that is under way may have been too early for this token's key.
Task<Result<identity::Claims>> CallerAuthentication::fetch_keys_for(std::string bearer) {
  auto claims = claims_of(bearer);
  for (int tries = 0; tries < 2 && !claims; ++tries) {
    if (is_fetching_) {
      co_await fetched_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    } else if (begins_fetch()) {
      (void)co_await fetch_keys();
    } else {
      break;
    }
    claims = claims_of(bearer);
  }
  co_return claims;
}

Result<identity::Claims> CallerAuthentication::claims_of(std::string_view bearer) {
  const std::scoped_lock lock{mutex_};
  return verifier_->verify(bearer);
}

bool CallerAuthentication::begins_fetch() {
  const std::scoped_lock lock{mutex_};
  if (!verifier_->wants_keys()) return false;
  verifier_->fetch_started();
  return true;
}

Result<> CallerAuthentication::adopt(std::string_view jwks) {
  const std::scoped_lock lock{mutex_};
  return verifier_->adopt(jwks);
}

std::string CallerAuthentication::adopted() {
  const std::scoped_lock lock{mutex_};
  return verifier_->document();
}

Result<std::string> CallerAuthentication::service(std::string_view token) {
  const std::scoped_lock lock{mutex_};
  return trust_.caller_of(token, service_);
}

// Does not count among the fetches that tokens ask for: one that came too early, before the issuer
// ran, must not keep the first token from asking.
Task<Result<>> CallerAuthentication::refresh_keys() {
  if (!verifier_ || is_fetching_ || adopted().empty()) co_return Result<>{};
  co_return co_await fetch_keys();
}

// Die between adopting and keeping: the next start fetches again.
Task<Result<>> CallerAuthentication::fetch_keys() {
  const Fetching fetching{is_fetching_, fetched_};
  const auto fetched = co_await fetch_();
  if (!fetched) {
    record(Severity::warning, "issuer keys not fetched", {{"why", fetched.error().text()}});
    co_return fetched.error();
  }
  if (*fetched == adopted() && is_kept_) co_return Result<>{};
  if (const auto usable = adopt(*fetched); !usable) {
    record(Severity::warning, "issuer keys not usable", {{"why", usable.error().text()}});
    co_return usable.error();
  }
  const auto kept = co_await database_->write([text = *fetched](SqlTransaction& transaction) {
    transaction.books().put_document(keys_document, text);
  });
  is_kept_ = kept.has_value();
  if (!is_kept_) record(Severity::warning, "issuer keys not kept", {{"why", kept.error().text()}});
  co_return Result<>{};
}

}  // namespace freehold
