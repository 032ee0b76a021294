// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/base/trace.h"
#include "freehold/http/message.h"

namespace freehold::http {

// Who asks: the subject of a verified access token.
struct Caller {
  std::string subject;
  std::vector<std::string> roles;
  std::optional<Time> until{};  // when the token is good no more; an event stream ends then

  bool is(std::string_view role) const;
};

// How the host tells callers from one another. Called on I/O threads, several at a time.
class Authenticator {
 public:
  virtual ~Authenticator() = default;

  // The user behind an access token (`Authorization: Bearer …`). Refused: unauthenticated.
  virtual Task<Result<Caller>> user(std::string bearer) = 0;

  // The service behind an identity token (`Freehold-Identity: …`). Refused: unauthenticated.
  virtual Result<std::string> service(std::string_view token) = 0;
};

inline constexpr std::string_view service_identity_header = "Freehold-Identity";
inline constexpr std::string_view timeout_header = "Freehold-Timeout-Ms";  // what the caller waits

class Route;
class KeyClaim;
class RememberedAnswers;

namespace internal {

// One request while it is answered; lives in the frame of Routes::answer.
struct Exchange {
  const Request* request = nullptr;
  Response* response = nullptr;
  const Route* route = nullptr;
  std::vector<std::string_view> path_values;  // percent-encoded, in the order of the path
  Caller caller;
  std::string caller_service;
  Deadline deadline;
  Trace trace;
  bool is_traced = false;  // by the caller
  RememberedAnswers* remembered = nullptr;
  std::shared_ptr<KeyClaim> claim;     // of an idempotent call, until it is answered
  std::chrono::seconds waited_for{0};  // what the handler was told of Prefer: wait
};

// For an idempotent call: takes its key (false), or writes the answer that an earlier request with
// this key got (true). Refused and fails as RememberedAnswers::claim.
Task<Result<bool>> replayed(Exchange* exchange, std::uint64_t request_hash);

// After the handler of an idempotent call has failed: whether another instance has answered under
// its key, and that answer was written. Refused and fails as RememberedAnswers::answered_elsewhere.
Task<Result<bool>> replayed_instead(Exchange* exchange, Error error);

// Answers with the problem of this error. A fault of this service itself is recorded; what it says
// of the inside (statements, files) is told to services only.
void answer_error(Exchange& exchange, const Error& error);

}  // namespace internal

// What a handler may know of its request beside the input struct: a handle, passed by value, valid
// until the handler returns.
class Call {
 public:
  explicit Call(internal::Exchange& exchange) : exchange_(&exchange) {}

  // The user; subject and roles are empty on open() and internal() routes.
  const Caller& caller() const { return exchange_->caller; }
  // The service that calls; empty unless the route is internal().
  std::string_view caller_service() const { return exchange_->caller_service; }
  // When nobody waits for the answer any more: the server's limit, or the caller's if that is less.
  Deadline deadline() const { return exchange_->deadline; }
  const Trace& trace() const { return exchange_->trace; }
  // The traceparent of what this request writes down for others (Database::write); empty when the
  // caller brought no trace: nobody would look for it, and each event would be 70 bytes longer.
  std::string trace_parent() const {
    return exchange_->is_traced ? exchange_->trace.text() : std::string{};
  }

  std::optional<std::string_view> header(std::string_view name) const;
  const Request& request() const { return *exchange_->request; }

  // The entity tag that the caller read, without quotes ("*": any). Refused: precondition_required
  // when there is no If-Match, precondition_failed when the tag is weak (RFC 9110, 13.1.1: it never
  // matches here), malformed when it is not one entity tag.
  Result<std::string_view> if_match() const;

  // How long the caller prefers to wait for a final state (RFC 7240, `Prefer: wait=N`), at most
  // 30 s; zero: not at all. To ask is to honour it: the answer says Preference-Applied.
  std::chrono::seconds prefer_wait() const;

 protected:
  internal::Exchange& exchange() const { return *exchange_; }

 private:
  internal::Exchange* exchange_;
};

}  // namespace freehold::http
