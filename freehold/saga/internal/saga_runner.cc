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
constexpr std::chrono::microseconds lease = 3s;
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
  if (awaited && transaction.is_looked_at())
    return transaction.books().foresee_lock_saga(awaited->saga);
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
  auto saga = transaction.books().lock_saga(awaited->saga);
  if (!saga || saga->status != SagaStatus::running) return;
  saga->why = std::string{delivery.source} + " has set aside the command of step " +
              std::to_string(awaited->step);
  transaction.books().save_saga(*saga);
  transaction.on_commit([id = saga->id, why = saga->why] {
    record(Severity::warning, "saga waits for a command that was set aside",
           {{"saga", id}, {"why", why}});
  });
}

// The first of reply and timer wins, for the saga is locked when it is looked at.
void SagaRunner::wake(SqlTransaction& transaction, std::string_view id, int step, StepState state,
                      std::string_view outcome) {
  auto saga = transaction.books().lock_saga(id);
  if (saga && saga->waiting_step() == step) return go_on(transaction, *saga, state, outcome);
  transaction.books().note_late(id, step, outcome);
  transaction.on_commit([&pulse = pulse_, known = saga.has_value(), id = std::string{id}, step] {
    known ? pulse.met_late() : pulse.met_unknown();
    record(Severity::warning, known ? "outcome of a saga's step came late" : "reply for no saga",
           {{"saga", id}, {"step", step}});
  });
}

// Die in here: the outcome and what follows from it are committed together with the cursor, or the
// timer's end, so it comes again.
void SagaRunner::go_on(SqlTransaction& transaction, SagaRecord& saga, StepState state,
                       std::string_view outcome) {
  saga.journal.back().state = state;
  saga.journal.back().outcome.text = outcome;
  saga.due = {};
  FREEHOLD_CRASH_POINT("saga.after_outcome");
  if (saga.status == SagaStatus::running) {  // else it goes on from here when it is retried
    saga.why.clear();
    if (careful_ > 0) {
      --careful_;
      transaction.on_rollback([this] { ++careful_; });
      keep(transaction.books(), first_attempt(saga.id, 0));
      transaction.on_commit([&pulse = pulse_, due = now()] { pulse.timer_set(due); });
    } else if (const Result<> done = resume(transaction, saga); !done) {
      note_failure(transaction, saga, first_attempt(saga.id, 1), done.error());
    }
  }
  save(transaction, saga);
}

void SagaRunner::save(SqlTransaction& transaction, const SagaRecord& saga) {
  FREEHOLD_CRASH_POINT("saga.before_save");
  transaction.books().save_saga(saga);
  FREEHOLD_CRASH_POINT("saga.after_save");
}

void SagaRunner::fire(SqlTransaction& transaction, const std::string& id) {
  auto saga = transaction.books().lock_saga(id);
  if (!saga || saga->due == Time{} || saga->due > now()) return;  // its reply was first
  FREEHOLD_CRASH_POINT("saga.timer_fired");
  if (saga->journal.back().name == "sleep")
    go_on(transaction, *saga, StepState::done, "null");
  else
    go_on(transaction, *saga, StepState::refused, error_to_json(errors::deadline_exceeded));
}

// Whether it is this instance that fires timers and tries again, for the length of a lease from
// now; whoever else would waits for this transaction. Who comes into it after one that has died is
// careful: it may have died of what is due now.
bool SagaRunner::leads(SqlTransaction& transaction) {
  if (!is_one_of_several()) return true;
  Books& books = transaction.books();
  const auto epoch = books.take_lease(consumer, options_.owner, lease);
  stands_by_ = !epoch.has_value();
  if (!epoch) {
    epoch_ = 0;
    return false;
  }
  if (*epoch == epoch_) return true;
  if (books.document(state_document) == open)
    be_careful(careful_resumes);
  else
    books.put_document(state_document, open);
  transaction.on_commit([self = shared_from_this(), epoch = *epoch] { self->epoch_ = epoch; });
  return true;
}

Task<Result<>> SagaRunner::keep_lead() {
  if (!is_one_of_several() || epoch_ == 0) co_return Result<>{};
  co_return co_await run_in_lane(&database_, {.urgency = Urgency::consumer},
                                 [self = shared_from_this()](SqlTransaction& transaction) {
                                   (void)self->leads(transaction);
                                   return Result<>{};
                                 });
}

// Dying before this commit makes the next one wait for the lease and be careful, and that is all.
Task<> SagaRunner::leave() {
  const auto self = shared_from_this();
  (void)co_await database_.write([self](SqlTransaction& transaction) {
    Books& books = transaction.books();
    if (self->is_one_of_several()) {
      if (!books.holds_lease(consumer, self->epoch_)) return;
      books.release_lease(consumer, self->epoch_);
    }
    books.put_document(state_document, closed);
  });
}

Task<Result<>> SagaRunner::count_all() {
  if (!is_one_of_several()) co_return Result<>{};
  const Time since = std::exchange(counted_at_, now());
  FREEHOLD_CO_TRY(const auto counted, co_await database_.read([since](SqlTransaction& transaction) {
    Books& books = transaction.books();
    return SagaPulse::Counted{.running = books.count_sagas(SagaStatus::running),
                              .parked = books.count_sagas(SagaStatus::parked),
                              .diverged = books.count_sagas(SagaStatus::diverged),
                              .finished = since == Time{} ? 0 : books.count_sagas_ended(since)};
  }));
  pulse_.counted(counted);
  co_return Result<>{};
}

// Together, and one by one when that fails: a saga that cannot be read stops no other's timer.
Task<Result<std::size_t>> SagaRunner::fire_timers() {
  FREEHOLD_CO_TRY(const auto due, co_await database_.read([](SqlTransaction& transaction) {
    return transaction.books().due_sagas(now(), timers_at_once);
  }));
  if (due.empty()) co_return due.size();
  const Result<> together = co_await fire(due);
  if (together) co_return stands_by_ ? 0 : due.size();
  if (!together.error().is(errors::internal)) co_return together.error();  // of the environment
  Result<std::size_t> fired = due.size();
  for (const std::string& id : due) {
    const Result<> done = co_await fire({id});
    if (done) continue;
    record(Severity::error, "saga's timer cannot be fired",
           {{"saga", id}, {"why", done.error().text()}});
    fired = done.error();
  }
  co_return fired;
}

Task<Result<>> SagaRunner::fire(std::vector<std::string> due) {
  co_return co_await run_in_lane(
      &database_, {.urgency = Urgency::consumer},
      [self = shared_from_this(), due = std::move(due)](SqlTransaction& transaction) -> Result<> {
        if (!self->leads(transaction)) return {};
        for (const std::string& id : due) self->fire(transaction, id);
        return {};
      });
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

Result<> SagaRunner::resume(SqlTransaction& transaction, SagaRecord& saga) const {
  const std::size_t steps = saga.journal.size();
  const Time due = saga.due;
  Result<> done = transaction.attempt([&]() -> Result<> {
    try {
      // An attempt of its own, which ends with what its statements came to, also unread ones.
      return transaction.attempt([&] { return run(transaction, saga); });
    } catch (const MustRunAlone&) {
      throw;
    } catch (const LookedAhead&) {
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
  if (!done) {
    saga.journal.resize(steps);
    saga.due = due;
    saga.status = SagaStatus::running;
    saga.why.clear();
  }
  return done;
}

Result<> SagaRunner::run(SqlTransaction& transaction, SagaRecord& saga) const {
  const auto program = programs_.find(saga.type);
  if (program == programs_.end()) return Error{errors::saga_type_unknown, saga.type};
  FREEHOLD_CRASH_POINT("saga.before_replay");
  // A timer has no trace, and a reply has that of the command: what started the saga counts.
  const Transaction::Traced traced{transaction, saga.trace_parent};
  FREEHOLD_TRY(const Saga body, program->second.begin(saga.input));
  SagaRun run{body, saga};
  switch (run.replay()) {
    case SagaRun::Place::waiting:
      break;
    case SagaRun::Place::diverged:
      stop_diverged(transaction, saga, run.why());
      break;
    case SagaRun::Place::beyond:
      run.perform(transaction);
      tell_pulse(transaction, pulse_, saga);
      break;
  }
  return {};
}

void SagaRunner::stop_diverged(SqlTransaction& transaction, SagaRecord& saga,
                               std::string why) const {
  saga.status = SagaStatus::diverged;
  saga.why = why;
  transaction.on_commit([&pulse = pulse_, id = saga.id, why = std::move(why)] {
    pulse.diverged();
    record(Severity::error, "saga diverged from its journal", {{"saga", id}, {"why", why}});
  });
}

// --- Trying again --------------------------------------------------------------------------------

Task<Result<std::size_t>> SagaRunner::try_again() {
  FREEHOLD_CO_TRY(auto due, co_await database_.read([](SqlTransaction& transaction) {
    return transaction.books().aside_due(consumer, now(), timers_at_once);
  }));
  for (const AsideEvent& attempt : due) {
    FREEHOLD_CO_TRY(co_await try_again(attempt.key));
    if (stands_by_) co_return std::size_t{0};
  }
  co_return due.size();
}

// Two transactions: the first counts the attempt, so that it is counted when the process dies in
// the second one.
Task<Result<>> SagaRunner::try_again(std::string saga) {
  const auto self = shared_from_this();
  const auto is_noted = std::make_shared<bool>(false);
  FREEHOLD_CO_TRY(co_await run_in_lane(
      &database_, {.urgency = Urgency::consumer},
      [self, saga, is_noted](SqlTransaction& transaction) -> Result<> {
        *is_noted = self->leads(transaction) && self->note_attempt(transaction, saga);
        return {};
      }));
  if (!*is_noted) co_return Result<>{};
  FREEHOLD_CRASH_POINT("saga.attempt_noted");
  co_return co_await run_in_lane(&database_, {.urgency = Urgency::consumer},
                                 [self, saga](SqlTransaction& transaction) -> Result<> {
                                   self->attempt(transaction, saga);
                                   return {};
                                 });
}

// Whether there is something to try. An attempt that is not due any more is somebody else's. The
// saga is locked first, here and wherever its attempts are looked at.
bool SagaRunner::note_attempt(SqlTransaction& transaction, std::string_view id) const {
  Books& books = transaction.books();
  auto saga = books.lock_saga(id);
  const auto attempts = books.aside_of(consumer, id);
  if (attempts.empty() || attempts.front().parked || attempts.front().next_try > now())
    return false;
  AsideEvent attempt = attempts.front();
  if (!saga || saga->status == SagaStatus::ended || saga->status == SagaStatus::failed) {
    books.drop_aside(attempt);
    return false;
  }
  if (saga->status != SagaStatus::running) {  // a person has asked for it
    transaction.on_commit([&pulse = pulse_, from = saga->status] { pulse.returned(from); });
    saga->status = SagaStatus::running;
    saga->why.clear();
  }
  const bool may_be_tried = note_attempt(transaction, *saga, std::move(attempt));
  save(transaction, *saga);
  return may_be_tried;
}

bool SagaRunner::note_attempt(SqlTransaction& transaction, SagaRecord& saga,
                              AsideEvent attempt) const {
  const int deaths = deaths_in(attempt.why);
  if (deaths >= options_.deaths_max) {
    park(transaction, saga, std::move(attempt));
    return false;
  }
  if (!programs_.contains(saga.type)) {
    note_failure(transaction, saga, std::move(attempt), {errors::saga_type_unknown, saga.type});
    return false;
  }
  ++attempt.attempts;
  attempt.why = std::string{died} + std::to_string(deaths + 1);  // unless it comes back
  attempt.next_try = now() + delay_after(attempt.attempts);
  transaction.books().update_aside(attempt);
  return true;
}

void SagaRunner::attempt(SqlTransaction& transaction, std::string_view id) const {
  Books& books = transaction.books();
  auto saga = books.lock_saga(id);
  auto attempts = books.aside_of(consumer, id);
  if (attempts.empty() || !saga || saga->status != SagaStatus::running) return;
  if (const Result<> done = resume(transaction, *saga); !done)
    note_failure(transaction, *saga, std::move(attempts.front()), done.error());
  else
    books.drop_aside(attempts.front());
  save(transaction, *saga);
}

std::chrono::microseconds SagaRunner::delay_after(int attempts) const {
  const int doublings = std::clamp(attempts - 1, 0, 16);
  return std::min(options_.retry_after * (1 << doublings), delay_max);
}

void SagaRunner::note_failure(SqlTransaction& transaction, SagaRecord& saga, AsideEvent attempt,
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
  if (attempt.attempts >= options_.attempts_max) park(transaction, saga, std::move(attempt));
}

void SagaRunner::park(SqlTransaction& transaction, SagaRecord& saga, AsideEvent attempt) const {
  attempt.parked = true;
  transaction.books().update_aside(attempt);
  saga.status = SagaStatus::parked;
  saga.why = attempt.why;
  transaction.on_commit([&pulse = pulse_, id = attempt.key, why = attempt.why] {
    pulse.parked();
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
  const auto saga = transaction.books().lock_saga(id);
  if (!saga) return Error{errors::not_found, std::string{id}};
  if (saga->status != SagaStatus::parked && saga->status != SagaStatus::diverged)
    return Error{errors::saga_not_waiting, std::string{id}};
  keep(transaction.books(), first_attempt(id, 0));
  transaction.on_commit([&pulse = pulse_, due = now()] { pulse.timer_set(due); });
  return {};
}

}  // namespace freehold::internal
