// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace freehold {

// What sort of outcome an error is. It alone decides the HTTP status and what a caller may do:
// `unavailable` may be tried again, `indeterminate` and `throttled` may be tried again with the
// same idempotency key (after the stated delay), every other kind will be the same next time.
enum class Kind {
  invalid,                // 400 malformed or out of range
  unauthenticated,        // 401 no caller, or one that cannot be believed
  forbidden,              // 403 a caller without the right
  not_found,              // 404
  conflict,               // 409 the state of the aggregate does not allow it
  precondition_failed,    // 412 changed since the caller read it
  precondition_required,  // 428 the caller must say what it read
  refused,                // 422 a rule of the domain said no
  throttled,              // 429 too much, later
  unavailable,            // 503 nothing happened
  indeterminate,          // 504 nobody knows whether it happened
  internal,               // 500 a fault
};

inline constexpr std::array every_kind{Kind::invalid,
                                       Kind::unauthenticated,
                                       Kind::forbidden,
                                       Kind::not_found,
                                       Kind::conflict,
                                       Kind::precondition_failed,
                                       Kind::precondition_required,
                                       Kind::refused,
                                       Kind::throttled,
                                       Kind::unavailable,
                                       Kind::indeterminate,
                                       Kind::internal};

int http_status(Kind kind);
std::string_view name_of(Kind kind);
std::optional<Kind> kind_from_name(std::string_view name);  // nullopt: there is none

// One row of an errors.def. The name is the wire name, for ever; service and name identify it.
struct ErrorCode {
  std::string_view service;
  std::string_view name;
  Kind kind;
  std::string_view sentence;
};

// Why something was refused or failed. A value: it crosses processes, so it holds service and name
// as text, for a newer peer may send codes that this program does not know.
class [[nodiscard]] Error {
 public:
  // `detail` completes the code's sentence for this occurrence; it must hold no personal data.
  Error(const ErrorCode& code, std::string detail = {});  // NOLINT: a code is an error

  // An error that came from outside: the code need not be known here.
  Error(std::string service, std::string name, Kind kind, std::string sentence, std::string detail);

  bool is(const ErrorCode& code) const { return service_ == code.service && name_ == code.name; }
  Kind kind() const { return kind_; }
  std::string_view service() const { return service_; }
  std::string_view name() const { return name_; }
  std::string_view sentence() const { return sentence_; }
  std::string_view detail() const { return detail_; }

  // When it is worth to try again, where that is known: what a caller over HTTP reads as
  // Retry-After. Zero: not known. It does not travel in a reply or a journal.
  Error retry_after(std::chrono::seconds delay) && {
    retry_after_ = delay;
    return std::move(*this);
  }
  std::chrono::seconds retry_after() const { return retry_after_; }

  // "order/unknown_order: There is no such order. (detail)", for records and reports.
  std::string text() const;

  friend bool operator==(const Error&, const Error&) = default;

 private:
  std::string service_;
  std::string name_;
  Kind kind_;
  std::string sentence_;
  std::string detail_;
  std::chrono::seconds retry_after_{0};
};

}  // namespace freehold
