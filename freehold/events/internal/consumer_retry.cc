// SPDX-License-Identifier: Apache-2.0
//
// What was set aside: tried again by timer, key by key and in each key's order, under the same
// lease as the cursor. An attempt is counted before it is made, so one that kills the process
// counts too.
#include <algorithm>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/events/internal/consumer_run.h"

namespace freehold {

namespace {

constexpr std::size_t keys_in_one_round = 64;
constexpr std::chrono::seconds look_again{1};

struct AsideRound {
  std::vector<AsideEvent> due;
  std::optional<Time> next;
  std::size_t keys = 0;
};

}  // namespace

std::chrono::milliseconds ConsumerLoop::Run::retry_after(int attempts) const {
  auto wait = options_.retry_first;
  for (int i = 1; i < attempts && wait < options_.retry_max; ++i) wait *= 2;
  return std::min(wait, options_.retry_max);
}

Task<> ConsumerLoop::Run::retry() {
  const auto self = shared_from_this();
  internal::Backoff backoff{options_.backoff_first, options_.backoff_max};
  while (!ending()) {
    const auto round = co_await database_.read([this](SqlTransaction& transaction) {
      Books& books = transaction.books();
      return AsideRound{books.aside_due(name_, now(), keys_in_one_round),
                        books.next_aside_try(name_), books.aside_keys(name_).size()};
    });
    if (!round) {
      waits("database", round.error());
      co_await pause(&aside_, backoff.next());
      continue;
    }
    {
      const std::lock_guard lock{status_mutex_};
      status_.keys_aside = round->keys;
    }
    bool failed = false;
    for (const AsideEvent& event : round->due) {
      if (ending()) co_return;
      const Result<> tried = co_await retry_one(event);
      if (tried) continue;
      waits("database", tried.error());
      co_await pause(&aside_, backoff.next());
      failed = true;
      break;
    }
    if (failed || !round->due.empty()) continue;
    auto until = SteadyClock::time_point::max();
    if (round->next)
      until = SteadyClock::now() +
              std::max<SteadyClock::duration>(*round->next - now(), std::chrono::milliseconds{1});
    // A person's command to another instance gives no signal here.
    if (database_.is_shared()) until = std::min(until, SteadyClock::now() + look_again);
    co_await aside_.wait(until);
  }
}

// An error is one of the environment.
Task<Result<>> ConsumerLoop::Run::retry_one(AsideEvent event) {
  const bool died_at_the_last = event.attempts >= options_.attempts_max;
  if (died_at_the_last) {
    event.parked = true;
    event.why = "the process died of it";
    FREEHOLD_CO_TRY(co_await update_aside(std::move(event)));
    co_return Result<>{};
  }
  ++event.attempts;
  event.next_try = now() + retry_after(event.attempts);
  FREEHOLD_CO_TRY(const bool is_there, co_await update_aside(event));
  if (!is_there || ending()) co_return Result<>{};
  FREEHOLD_CRASH_POINT("consumer.before_retry");
  const Result<> applied = co_await apply_aside(event);
  if (applied || ending()) co_return Result<>{};
  if (is_of_environment(applied.error())) co_return applied.error();
  event.parked = event.attempts >= options_.attempts_max;
  event.why = applied.error().text();
  record(event.parked ? Severity::error : Severity::warning,
         event.parked ? "event parked" : "event failed again",
         {{"consumer", name_},
          {"event", event.id.text()},
          {"key", event.key},
          {"attempts", event.attempts},
          {"why", event.why}});
  FREEHOLD_CO_TRY(co_await update_aside(std::move(event)));
  co_return Result<>{};
}

// False: it is somebody else's, or was: an owner before this one may have committed its effect
// after it was read here. An error is one of the environment; another owner, or a database that
// does not take it, ends the loop.
Task<Result<bool>> ConsumerLoop::Run::update_aside(AsideEvent event) {
  const auto done =
      co_await database_.write([this, event](SqlTransaction& transaction) -> Result<bool> {
        FREEHOLD_TRY(check_owner(transaction, event.id.partition));
        return transaction.books().update_aside(event);
      });
  if (done || is_of_environment(done.error())) co_return done;
  if (done.error().is(errors::not_the_owner)) co_return (void) fenced(), false;
  co_return end(End::stopped, name_ + ": " + done.error().text()), false;
}

// Before its commit: it lies aside as before, one attempt older. After it: it had its effect, and
// the next of its key is the first now.
Task<Result<>> ConsumerLoop::Run::apply_aside(AsideEvent event) {
  FREEHOLD_CO_TRY(const auto batch, EventBatch::read(event.json));
  const CloudEvent& cloud_event = batch->events().front();
  const auto decoded = consumer_.decode(cloud_event.type, cloud_event.data);
  const auto is_gone = std::make_shared<bool>(false);
  const Result<> applied = co_await internal::run_in_lane(
      &database_,
      {.urgency = Urgency::consumer,
       .names_locks =
           [self = shared_from_this(), batch, decoded](RowLocks& locks) {
             self->consumer_.name_locks(locks, decoded, batch->events().front().type);
           }},
      [self = shared_from_this(), batch, decoded, event,
       is_gone](SqlTransaction& transaction) -> Result<> {
        FREEHOLD_TRY(self->check_owner(transaction, event.id.partition));
        self->consumer_.apply(
            transaction, decoded,
            delivery_of(batch->events().front(), self->consumer_.source(), event.attempts));
        *is_gone = !transaction.books().drop_aside(event);
        if (*is_gone) return errors::not_the_owner;  // had its effect already: nothing of this one
        FREEHOLD_CRASH_POINT("consumer.after_redrive");
        return {};
      });
  if (*is_gone) co_return Result<>{};
  if (!applied && applied.error().is(errors::not_the_owner)) co_return fenced();
  co_return applied;
}

// A move of the cursor to where it stands: changes a row only while this loop is the owner.
Result<> ConsumerLoop::Run::check_owner(SqlTransaction& transaction,
                                        std::uint32_t partition) const {
  const auto cursor = transaction.books().cursor(name_, partition);
  if (cursor && transaction.books().move_cursor(name_, cursor->at, cursor->at, epoch_)) return {};
  return Error{errors::not_the_owner, name_};
}

}  // namespace freehold
