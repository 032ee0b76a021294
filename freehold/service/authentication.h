// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "freehold/base/clock.h"
#include "freehold/database/database.h"
#include "freehold/http/call.h"
#include "freehold/identity/service_identity.h"
#include "freehold/identity/token_verifier.h"

namespace freehold {

// Who calls this service: users by the access tokens of one issuer, services by their identity
// tokens. The issuer's keys are kept in the service's own database, so that it starts and serves
// while the issuer is down. A token that comes while the keys are being fetched waits for them.
// Callers are told on any thread; keys are fetched on `executor`.
class CallerAuthentication final : public http::Authenticator {
 public:
  using FetchKeys = std::function<Task<Result<std::string>>()>;  // the issuer's JWK set

  CallerAuthentication(std::string service, std::filesystem::path trust,
                       const boost::asio::any_io_executor& executor);

  // Believes access tokens of this issuer for this audience. `fetch` is asked for keys when a token
  // names one that is not known, and by refresh_keys(); what it returns is kept in `database`.
  void believe(std::string issuer, std::string audience, Database& database, FetchKeys fetch);

  Task<Result<http::Caller>> user(std::string bearer) override;
  Result<std::string> service(std::string_view token) override;

  // Fetches the issuer's keys again, so that one that was withdrawn is believed no more; the former
  // ones stay when the issuer does not answer; it fails then. Without any there is none to
  // withdraw, and the first token asks for them: an issuer that starts later is not troubled, nor
  // its breaker.
  Task<Result<>> refresh_keys();

 private:
  Result<identity::Claims> claims_of(std::string_view bearer);
  Task<Result<identity::Claims>> fetch_keys_for(std::string bearer);
  Task<Result<>> fetch_keys();
  bool begins_fetch();  // true: one is due, and counts as begun
  Result<> adopt(std::string_view jwks);
  std::string adopted();  // the JWK set; empty: none yet

  std::string service_;
  const boost::asio::any_io_executor executor_;
  std::mutex mutex_;  // guards the next two
  identity::ServiceTrust trust_;
  std::optional<identity::TokenVerifier> verifier_;
  Database* database_ = nullptr;
  FetchKeys fetch_;
  bool is_fetching_ = false;
  bool is_kept_ = false;  // what was adopted last, in the database
  boost::asio::basic_waitable_timer<SteadyClock> fetched_;  // cancelled when a fetch is over
};

}  // namespace freehold
