// SPDX-License-Identifier: Apache-2.0
// The bodies of Database's templates; included by database.h only.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "freehold/database/database.h"

namespace freehold {
namespace internal {

// Submits the body as a job, waits for its outcome and goes on where the caller ran.
Task<Result<>> run_in_lane(Database* database, Submission how,
                           std::move_only_function<Result<>(SqlTransaction&)> body);

// Submits the body to be read, waits for it and goes on where the caller ran; throws what it threw.
Task<Result<>> read_elsewhere(Database* database,
                              std::move_only_function<void(SqlTransaction&)> body);

// A body and what it returned last. Owned by the job and by the coroutine that waits for it
// together, so that neither dangles when the other is destroyed by a stop.
template <class Body>
struct RunningBody {
  Body body;
  std::string trace_parent;
  std::optional<BodyResult<Body>> outcome;

  Result<> run(SqlTransaction& transaction) {
    const Transaction::Traced traced{transaction, trace_parent};
    outcome.emplace(called<BodyResult<Body>>(body, transaction));
    if (!*outcome) return outcome->error();
    return {};
  }
};

}  // namespace internal

// NOLINTBEGIN(performance-unnecessary-value-param): they are moved, which is not seen in braces
template <class Body>
Task<internal::BodyResult<Body>> Database::write(Body body, std::string trace_parent,
                                                 NamesLocks names_locks,
                                                 std::shared_ptr<AnswerHold> hold) {
  return write_as(
      {.urgency = Urgency::request, .names_locks = std::move(names_locks), .hold = std::move(hold)},
      std::move(body), std::move(trace_parent));
}

// NOLINTEND(performance-unnecessary-value-param)

template <class Body>
Task<internal::BodyResult<Body>> Database::write_alone(Body body) {
  return write_as({.urgency = Urgency::request, .is_alone = true}, std::move(body), {});
}

template <class Body>
Task<internal::BodyResult<Body>> Database::write_as(internal::Submission how, Body body,
                                                    std::string trace_parent) {
  if constexpr (internal::BodyOutcome<Body>::can_run) {
    const std::shared_ptr<internal::RunningBody<Body>> running{
        new internal::RunningBody<Body>{std::move(body), std::move(trace_parent), std::nullopt}};
    const Result<> done = co_await internal::run_in_lane(
        this, std::move(how),
        [running](SqlTransaction& transaction) { return running->run(transaction); });
    if (!done) co_return done.error();
    co_return *std::move(running->outcome);
  }
}

template <class Body>
Task<internal::BodyResult<Body>> Database::read(Body body) {
  if constexpr (internal::BodyOutcome<Body>::can_run) {
    if (reads_elsewhere()) {
      const std::shared_ptr<internal::RunningBody<Body>> running{
          new internal::RunningBody<Body>{std::move(body), {}, std::nullopt}};
      const Result<> done = co_await internal::read_elsewhere(
          this, [running](SqlTransaction& transaction) { (void)running->run(transaction); });
      if (!done) co_return done.error();
      co_return *std::move(running->outcome);
    }
    std::optional<internal::BodyResult<Body>> outcome;
    const Result<> done = read_now([&](SqlTransaction& transaction) {
      outcome.emplace(internal::called<internal::BodyResult<Body>>(body, transaction));
    });
    if (!done) co_return done.error();
    co_return *std::move(outcome);
  }
}

}  // namespace freehold
