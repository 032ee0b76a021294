// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/idempotent_call.h"

#include <algorithm>

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"
#include "freehold/http/routes.h"

namespace freehold::http {
namespace {

constexpr std::string_view key_header = "Idempotency-Key";
constexpr std::size_t key_length_max = 255;

// A key belongs to a caller and a route: nobody can ask for another's answer.
std::string scope_of(const internal::Exchange& exchange) {
  std::string scope = exchange.caller_service.empty() ? "user " + exchange.caller.subject
                                                      : "service " + exchange.caller_service;
  scope.append(" ").append(name_of(exchange.route->method())).append(" ");
  return scope.append(exchange.route->path());
}

void write_replay(const internal::Exchange& exchange, StoredAnswer stored) {
  Response& response = *exchange.response;
  response.status = stored.status;
  if (!stored.body.empty()) response.headers.add("Content-Type", "application/json");
  internal::set_reply_headers(response, stored.location, {});
  response.headers.add("Idempotency-Replayed", "true");
  response.body = std::move(stored.body);
}

}  // namespace

Result<IdempotentCall> IdempotentCall::make(internal::Exchange& exchange) {
  const auto key = exchange.request->headers.find(key_header);
  if (!key || key->empty()) return errors::idempotency_key_required;
  const bool visible = std::ranges::all_of(*key, [](char c) { return c > 0x20 && c < 0x7f; });
  if (key->size() > key_length_max || !visible)
    return Error{errors::malformed, "Idempotency-Key: 1 to 255 visible characters are expected"};
  return IdempotentCall{exchange};
}

namespace internal {

Task<Result<bool>> replayed(Exchange* exchange, std::uint64_t request_hash) {
  FREEHOLD_ASSERT(exchange->remembered, "idempotent routes need Routes::remember_answers_in");
  StoredAnswer stored;
  FREEHOLD_CO_TRY(exchange->claim, co_await exchange->remembered->claim(
                                       scope_of(*exchange),
                                       std::string{*exchange->request->headers.find(key_header)},
                                       request_hash, exchange->deadline, &stored));
  if (exchange->claim) co_return false;
  write_replay(*exchange, std::move(stored));
  co_return true;
}

Task<Result<bool>> replayed_instead(Exchange* exchange, Error error) {
  FREEHOLD_CO_TRY(auto stored,
                  co_await exchange->remembered->answered_elsewhere(exchange->claim, error));
  if (!stored) co_return false;
  write_replay(*exchange, *std::move(stored));
  co_return true;
}

}  // namespace internal
}  // namespace freehold::http
