// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/saga_runner.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/database/fault.h"
#include "freehold/schema/json.h"

namespace freehold::internal {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t timers_at_once = 64;
constexpr std::size_t forgotten_at_once = 500;
constexpr std::chrono::microseconds delay_max = 10min;
constexpr std::chrono::microseconds delay_of_unknown_type = 1min;
// Why an attempt is tried again whose process died in it; followed by how often in a row.
constexpr std::string_view died = "the process died while it resumed this saga; times: ";

// The data of a freehold.reply event: {"status":"done","command":…,"reply":{…}} or
// {"status":"refused","command":…,"error":{…}}.
struct ReplyBody {
  std::string status;
  std::optional<RawJson> reply;
  std::optional<RawJson> error;
};
BOOST_DESCRIBE_STRUCT(ReplyBody, (), (status, reply, error))

// A request id taken apart: "<saga>/<step>".
struct Awaited {
  std::string_view saga;
  int step = 0;
};

std::optional<Awaited> awaited_in(std::string_view request_id) {
  const std::size_t slash = request_id.rfind('/');
  if (slash == std::string_view::npos) return std::nullopt;
  Awaited awaited{request_id.substr(0, slash)};
  const char* const end = request_id.data() + request_id.size();
  const auto read = std::from_chars(request_id.data() + slash + 1, end, awaited.step);
  if (read.ec != std::errc{} || read.ptr != end) return std::nullopt;
  return awaited;
}

int deaths_in(std::string_view why) {
  int deaths = 0;
  if (why.starts_with(died))
    std::from_chars(why.data() + died.size(), why.data() + why.size(), deaths);
  return deaths;
}

AsideEvent first_attempt(std::string_view saga, int attempts) {
  return {.consumer = std::string{SagaRunner::consumer},
          .key = std::string{saga},
          .id = {},
          .json = "{}",
          .attempts = attempts,
          .next_try = now(),
          .parked = false,
          .why = {}};
}

// Keeps the attempt, whether or not there was one of this saga.
void keep(Books& books, const AsideEvent& attempt) {
  books.set_aside(attempt);
  books.update_aside(attempt);
}

}  // namespace

void SagaRunner::add(SagaProgram program) {
  std::string name{program.name};
  const bool is_new = programs_.emplace(std::move(name), std::move(program)).second;
  FREEHOLD_ASSERT(is_new, "two sagas of one name: a changed saga is a new version");
}

// --- What wakes a saga ---------------------------------------------------------------------------

void SagaRunner::take_reply(SqlTransaction& transaction, const Delivery& delivery) {
  const auto awaited = awaited_in(delivery.in_reply_to);
  const auto body = read_json<ReplyBody>(delivery.data, Strictness::tolerant);
  if (!awaited || !body) throw std::runtime_error("a reply that cannot be read");
  if (body->status == "done" && body->reply) {
    wake(transaction, awaited->saga, awaited->step, StepState::done, body->reply->text);
  } else if (body->status == "refused" && body->error) {
    wake(transaction, awaited->saga, awaited->step, StepState::refused, body->error->text);
  } else {
    throw std::runtime_error("a reply that is neither done nor refused");
  }
}

// The saga goes on waiting; who asks why is told.
void SagaRunner::take_set_aside(SqlTransaction& transaction, const Delivery& delivery) {
  const auto awaited = awaited_in(delivery.in_reply_to);
  if (!awaited) return;
  const auto saga = transaction.books().saga(awaited->saga);
  if (!saga || saga->status != SagaStatus::running) return;
  std::string why = std::string{delivery.source} + " has set aside the command of step " +
                    std::to_string(awaited->step);
  transaction.books().end_saga(saga->id, SagaStatus::running, why);
  transaction.on_commit([id = saga->id, why = std::move(why)] {
    record(Severity::warning, "saga waits for a command that was set aside",
           {{"saga", id}, {"why", why}});
  });
}

// Die in here: the outcome and what follows from it are committed together with the cursor, or the
// timer's end, so it comes again.
void SagaRunner::wake(SqlTransaction& transaction, std::string_view id, int step, StepState state,
                      std::string_view outcome) {
  Books& books = transaction.books();
  const auto saga = books.saga(id);
  const bool is_first = books.end_step(id, step, state, outcome);
  FREEHOLD_CRASH_POINT("saga.after_outcome");
  if (!saga || !is_first) {
    transaction.on_commit([&pulse = pulse_, known = saga.has_value(), id = std::string{id}, step] {
      known ? pulse.met_late() : pulse.met_unknown();
      record(Severity::warning, known ? "outcome of a saga's step came late" : "reply for no saga",
             {{"saga", id}, {"step", step}});
    });
    return;
  }
  if (saga->status != SagaStatus::running) return;  // it goes on from here when it is retried
  if (!saga->why.empty()) books.end_saga(id, SagaStatus::running, {});
  if (careful_ > 0) {
    --careful_;
    keep(books, first_attempt(id, 0));
    transaction.on_commit([&pulse = pulse_, due = now()] { pulse.timer_set(due); });
    return;
  }
  if (const Result<> done = resume(transaction, *saga); !done)
    note_failure(transaction, first_attempt(id, 1), done.error());
}

// The first of reply and timer wins: end_step tells, whatever was read before this transaction.
void SagaRunner::fire(SqlTransaction& transaction, const DueTimer& timer) {
  const auto journal = transaction.books().journal(timer.saga);
  const auto entry = std::ranges::find(journal, timer.step, &JournalEntry::step);
  const bool slept = entry != journal.end() && entry->name == "sleep";
  FREEHOLD_CRASH_POINT("saga.timer_fired");
  if (slept)
    wake(transaction, timer.saga, timer.step, StepState::done, {});
  else
    wake(transaction, timer.saga, timer.step, StepState::refused,
         error_to_json(errors::deadline_exceeded));
}

Task<Result<std::size_t>> SagaRunner::fire_timers() {
  FREEHOLD_CO_TRY(auto due, co_await database_.read([](SqlTransaction& transaction) {
    return transaction.books().due_timers(now(), timers_at_once);
  }));
  const std::size_t count = due.size();
  if (count == 0) co_return count;
  FREEHOLD_CO_TRY(co_await run_in_lane(
      &database_, Urgency::consumer,
      [self = shared_from_this(), due = std::move(due)](SqlTransaction& transaction) -> Result<> {
        for (const DueTimer& timer : due) self->fire(transaction, timer);
        return {};
      }));
  co_return count;
}

Task<Result<std::optional<Time>>> SagaRunner::next_due() const {
  co_return co_await database_.read([](SqlTransaction& transaction) -> std::optional<Time> {
    const auto timer = transaction.books().next_timer();
    const auto attempt = transaction.books().next_aside_try(consumer);
    if (timer && attempt) return std::min(*timer, *attempt);
    return timer ? timer : attempt;
  });
}

// --- Resuming ------------------------------------------------------------------------------------

Result<> SagaRunner::resume(SqlTransaction& transaction, const SagaRecord& saga) const {
  return transaction.attempt([&]() -> Result<> {
    try {
      return run(transaction, saga);
    } catch (const MustRunAlone&) {
      throw;
    } catch (const Refused&) {
      throw;
    } catch (const DatabaseFault& fault) {
      // A statement that broke a constraint is the step's own fault; all else is the environment's.
      if (!fault.error().is(errors::internal)) throw;
      return fault.error();
    } catch (const std::exception& exception) {
      return Error{errors::internal, exception.what()};
    } catch (...) {
      return Error{errors::internal, "an exception that is no std::exception"};
    }
  });
}

Result<> SagaRunner::run(SqlTransaction& transaction, const SagaRecord& saga) const {
  const auto program = programs_.find(saga.type);
  if (program == programs_.end()) return Error{errors::saga_type_unknown, saga.type};
  FREEHOLD_CRASH_POINT("saga.before_replay");
  FREEHOLD_TRY(const Saga body, program->second.begin(saga.input));
  const auto journal = transaction.books().journal(saga.id);
  SagaRun run{body, saga.id};
  switch (run.replay(journal)) {
    case SagaRun::Place::waiting:
      break;
    case SagaRun::Place::diverged:
      stop_diverged(transaction, saga, run.why());
      break;
    case SagaRun::Place::beyond:
      tell_pulse(transaction, pulse_, run.perform(transaction));
      break;
  }
  return {};
}

void SagaRunner::stop_diverged(SqlTransaction& transaction, const SagaRecord& saga,
                               std::string why) const {
  transaction.books().end_saga(saga.id, SagaStatus::diverged, why);
  transaction.on_commit([&pulse = pulse_, id = saga.id, why = std::move(why)] {
    pulse.left();
    record(Severity::error, "saga diverged from its journal", {{"saga", id}, {"why", why}});
  });
}

// --- Trying again --------------------------------------------------------------------------------

Task<Result<std::size_t>> SagaRunner::try_again() {
  FREEHOLD_CO_TRY(auto due, co_await database_.read([](SqlTransaction& transaction) {
    return transaction.books().aside_due(consumer, now(), timers_at_once);
  }));
  for (const AsideEvent& attempt : due) FREEHOLD_CO_TRY(co_await try_again(attempt.key));
  co_return due.size();
}

// Two transactions: the first counts the attempt, so that it is counted when the process dies in
// the second one.
Task<Result<>> SagaRunner::try_again(std::string saga) {
  const auto self = shared_from_this();
  const auto is_noted = std::make_shared<bool>(false);
  FREEHOLD_CO_TRY(
      co_await run_in_lane(&database_, Urgency::consumer,
                           [self, saga, is_noted](SqlTransaction& transaction) -> Result<> {
                             *is_noted = self->note_attempt(transaction, saga);
                             return {};
                           }));
  if (!*is_noted) co_return Result<>{};
  FREEHOLD_CRASH_POINT("saga.attempt_noted");
  co_return co_await run_in_lane(&database_, Urgency::consumer,
                                 [self, saga](SqlTransaction& transaction) -> Result<> {
                                   self->attempt(transaction, saga);
                                   return {};
                                 });
}

// Whether there is something to try. An attempt that is not due any more is somebody else's.
bool SagaRunner::note_attempt(SqlTransaction& transaction, std::string_view id) const {
  Books& books = transaction.books();
  const auto attempts = books.aside_of(consumer, id);
  if (attempts.empty() || attempts.front().parked || attempts.front().next_try > now())
    return false;
  AsideEvent attempt = attempts.front();
  const auto saga = books.saga(id);
  if (!saga || saga->status == SagaStatus::ended || saga->status == SagaStatus::failed) {
    books.drop_aside(attempt);
    return false;
  }
  if (saga->status != SagaStatus::running) {  // a person has asked for it
    books.end_saga(id, SagaStatus::running, {});
    transaction.on_commit([&pulse = pulse_] { pulse.returned(); });
  }
  const int deaths = deaths_in(attempt.why);
  if (deaths >= options_.deaths_max) {
    park(transaction, std::move(attempt));
    return false;
  }
  if (!programs_.contains(saga->type)) {
    note_failure(transaction, std::move(attempt), {errors::saga_type_unknown, saga->type});
    return false;
  }
  ++attempt.attempts;
  attempt.why = std::string{died} + std::to_string(deaths + 1);  // unless it comes back
  attempt.next_try = now() + delay_after(attempt.attempts);
  books.update_aside(attempt);
  return true;
}

void SagaRunner::attempt(SqlTransaction& transaction, std::string_view id) const {
  Books& books = transaction.books();
  auto attempts = books.aside_of(consumer, id);
  const auto saga = books.saga(id);
  if (attempts.empty() || !saga || saga->status != SagaStatus::running) return;
  if (const Result<> done = resume(transaction, *saga); !done)
    note_failure(transaction, std::move(attempts.front()), done.error());
  else
    books.drop_aside(attempts.front());
}

std::chrono::microseconds SagaRunner::delay_after(int attempts) const {
  const int doublings = std::clamp(attempts - 1, 0, 16);
  return std::min(options_.retry_after * (1 << doublings), delay_max);
}

void SagaRunner::note_failure(SqlTransaction& transaction, AsideEvent attempt,
                              const Error& why) const {
  attempt.why = why.text();
  const bool is_unknown = why.is(errors::saga_type_unknown);  // no attempt: see note_attempt
  attempt.next_try = now() + (is_unknown ? delay_of_unknown_type : delay_after(attempt.attempts));
  keep(transaction.books(), attempt);
  transaction.on_commit([&pulse = pulse_, id = attempt.key, text = attempt.why,
                         due = attempt.next_try, attempts = attempt.attempts] {
    pulse.met_failure();
    pulse.timer_set(due);
    record(Severity::warning, "saga could not be resumed",
           {{"saga", id}, {"attempts", attempts}, {"why", text}});
  });
  if (attempt.attempts >= options_.attempts_max) park(transaction, std::move(attempt));
}

void SagaRunner::park(SqlTransaction& transaction, AsideEvent attempt) const {
  attempt.parked = true;
  transaction.books().update_aside(attempt);
  transaction.books().end_saga(attempt.key, SagaStatus::parked, attempt.why);
  transaction.on_commit([&pulse = pulse_, id = attempt.key, why = attempt.why] {
    pulse.left();
    record(Severity::error, "saga parked", {{"saga", id}, {"why", why}});
  });
}

Task<Result<std::size_t>> SagaRunner::forget_ended() {
  const auto self = shared_from_this();
  std::size_t forgotten = 0;
  for (std::size_t some = forgotten_at_once; some == forgotten_at_once; forgotten += some) {
    const Time before = now() - options_.keep_ended;
    FREEHOLD_CO_TRY(some, co_await database_.write([before](SqlTransaction& transaction) {
      return transaction.books().forget_sagas(before, forgotten_at_once);
    }));
  }
  co_return forgotten;
}

Result<> SagaRunner::retry(SqlTransaction& transaction, std::string_view id) const {
  const auto saga = transaction.books().saga(id);
  if (!saga) return Error{errors::not_found, std::string{id}};
  if (saga->status != SagaStatus::parked && saga->status != SagaStatus::diverged)
    return Error{errors::saga_not_waiting, std::string{id}};
  keep(transaction.books(), first_attempt(id, 0));
  transaction.on_commit([&pulse = pulse_, due = now()] { pulse.timer_set(due); });
  return {};
}

}  // namespace freehold::internal
