// SPDX-License-Identifier: Apache-2.0
//
// What a consumer does before its first event: lease, notes of its last life, the source's log, its
// cursors. Each step returns false when the loop is to end, and else tries until it is done. From
// the lease on each writes as the owner, or not at all.
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/events/internal/consumer_run.h"
#include "freehold/events/internal/event_ids.h"

namespace freehold {

namespace asio = boost::asio;

namespace {

std::string notes_document(std::string_view consumer) {
  return "consumer/" + std::string{consumer};
}

}  // namespace

void ConsumerLoop::Run::write_notes(SqlTransaction& transaction,
                                    const internal::ConsumerNotes& notes) const {
  transaction.books().put_document(notes_document(name_), to_json(notes));
}

// Writes until it is durable; a refusal by the body ends the loop, with its sentence as the report.
template <class Body>
Task<bool> ConsumerLoop::Run::insist(Body body) {
  internal::Backoff backoff{options_.backoff_first, options_.backoff_max};
  while (!ending()) {
    const Result<> written = co_await database_.write(body);
    if (written) co_return true;
    if (!is_of_environment(written.error())) {
      end(End::stopped, name_ + ": " + written.error().text());
      break;
    }
    waits("database", written.error());
    co_await pause(&leading_, backoff.next());
  }
  co_return false;
}

// The same under the lease: an owner that was paused and replaced changes nothing, and goes back to
// waiting.
template <class Body>
Task<bool> ConsumerLoop::Run::insist_as_owner(Body body) {
  const auto fenced = std::make_shared<bool>(false);
  const bool written = co_await insist([this, body, fenced](SqlTransaction& transaction) {
    *fenced = !transaction.books().holds_lease(name_, epoch_);
    if (!*fenced) body(transaction);
  });
  if (written && *fenced) end(End::again, "");
  co_return written && !*fenced;
}

Task<bool> ConsumerLoop::Run::load_notes() {
  internal::Backoff backoff{options_.backoff_first, options_.backoff_max};
  while (!ending()) {
    const auto document = co_await database_.read([this](SqlTransaction& transaction) {
      return transaction.books().document(notes_document(name_));
    });
    if (!document) {
      waits("database", document.error());
      co_await pause(&leading_, backoff.next());
      continue;
    }
    notes_ = {};
    if (*document) {
      auto read = read_json<internal::ConsumerNotes>(**document, Strictness::tolerant);
      FREEHOLD_ASSERT(read, "a consumer's notes cannot be read");
      notes_ = *std::move(read);
    }
    if (!notes_.report.empty()) end(End::stopped, notes_.report);
    co_return !ending();
  }
  co_return false;
}

Task<bool> ConsumerLoop::Run::take_lease() {
  epoch_ = 0;
  notes_ = {};
  while (!ending()) {
    auto watch = database_.watches().begin(lease_subject());  // from here on no release is missed
    const auto epoch = std::make_shared<std::optional<std::uint64_t>>();
    const bool asked = co_await insist([this, epoch](SqlTransaction& transaction) {
      *epoch = transaction.books().take_lease(name_, options_.owner, options_.lease);
    });
    if (!asked) break;
    if (*epoch) {
      epoch_ = **epoch;
      co_return true;
    }
    stands_by();
    const auto until = SteadyClock::now() + options_.lease / 3;
    asio::co_spawn(executor_, listen_for_release(shared_from_this(), std::move(watch), until),
                   asio::detached);
    co_await leading_.wait(until);
  }
  co_return false;
}

// For a person's command, whoever owns the consumer: that one moves the cursor no more.
Task<Result<>> ConsumerLoop::Run::seize_lease() {
  FREEHOLD_CO_TRY(epoch_, co_await database_.write([this](SqlTransaction& transaction) {
    return transaction.books().seize_lease(name_, options_.owner, options_.lease);
  }));
  co_return Result<>{};
}

// Ends at `until`, also when nobody waits any more.
Task<> ConsumerLoop::Run::listen_for_release(std::shared_ptr<Run> self, Watches::Watch watch,
                                             Deadline until) {
  co_await watch.next(until);
  self->leading_.give();
}

Task<> ConsumerLoop::Run::keep_lease() {
  const auto self = shared_from_this();
  const SteadyClock::duration third = options_.lease / 3;
  for (;;) {
    // At the same moments as all consumers of the process, so that they share a commit.
    const auto thirds = SteadyClock::now().time_since_epoch() / third;
    co_await pause(&lease_, SteadyClock::time_point{(thirds + 1) * third});
    if (ending()) co_return;
    const auto epoch = std::make_shared<std::optional<std::uint64_t>>();
    const Result<> asked = co_await internal::run_in_lane(
        &database_, {.urgency = Urgency::consumer},
        [self, epoch](SqlTransaction& transaction) -> Result<> {
          *epoch = transaction.books().take_lease(self->name_, self->options_.owner,
                                                  self->options_.lease);
          return {};
        });
    // The database cannot be asked: the epoch in every move of the cursor protects meanwhile.
    if (!asked) continue;
    if (*epoch != epoch_) co_return (void) fenced();
  }
}

// After an orderly stop. Dying before this commit costs the next owner a wait for the lease and a
// careful first batch, nothing else.
Task<> ConsumerLoop::Run::leave() {
  const bool is_clean = notes_.clean;
  if (epoch_ == 0 || (is_clean && !database_.is_shared())) co_return;
  auto notes = notes_;
  notes.clean = true;
  (void)co_await database_.write([this, is_clean, notes](SqlTransaction& transaction) {
    if (!transaction.books().holds_lease(name_, epoch_)) return;
    if (!is_clean) write_notes(transaction, notes);
    transaction.books().release_lease(name_, epoch_);
    transaction.changed(lease_subject());
  });
}

// A consumer that stopped for its log's sake may be brought together with it again by a command to
// another instance; then this one stands by for that one. False: it stays stopped.
Task<bool> ConsumerLoop::Run::may_begin_again() {
  if (!database_.is_shared() || notes_.report.empty()) co_return false;
  end_ = End::none;  // so that stop() is heard
  while (!ending() && !notes_.report.empty()) {
    co_await pause(&leading_, SteadyClock::now() + options_.lease / 3);
    const auto document = co_await database_.read([this](SqlTransaction& transaction) {
      return transaction.books().document(notes_document(name_));
    });
    if (!document || !*document) continue;
    const auto notes = read_json<internal::ConsumerNotes>(**document, Strictness::tolerant);
    FREEHOLD_ASSERT(notes, "a consumer's notes cannot be read");
    notes_.report = notes->report;
  }
  co_return !ending();
}

Task<bool> ConsumerLoop::Run::describe() {
  internal::Backoff backoff{options_.backoff_first, options_.backoff_max};
  while (!ending()) {
    auto log = co_await source_.describe(deadline_in(options_.answer_timeout));
    if (log) {
      log_ = *std::move(log);
      co_return !ending();
    }
    waits(consumer_.source(), log.error());
    co_await pause(&leading_, backoff.next());
  }
  co_return false;
}

Task<bool> ConsumerLoop::Run::load_cursors() {
  for (;;) {
    const auto found = std::make_shared<std::vector<std::optional<Cursor>>>();
    const bool read = co_await insist([this, found](SqlTransaction& transaction) {
      found->clear();
      for (std::uint32_t partition = 0; partition < log_.heads.size(); ++partition)
        found->push_back(transaction.books().cursor(name_, partition));
    });
    if (!read) co_return false;
    if (!found->front()) {
      if (!co_await begin()) co_return false;
      continue;
    }
    partitions_.clear();
    for (const std::optional<Cursor>& cursor : *found) {
      if (!cursor || cursor->log_id != log_.log_id) {
        const Cursor& known = cursor ? *cursor : *found->front();
        end(End::diverged, name_ + " stands at " + known.at.text() + " of log " + known.log_id +
                               "; " + consumer_.source() + " now has log " + log_.log_id +
                               ", whose head is " + log_.heads.front().text());
        co_return false;
      }
      partitions_.push_back(
          std::make_shared<Partition>(cursor->at, cursor->log_id, executor_, options_));
    }
    const std::lock_guard lock{status_mutex_};
    status_.partitions.clear();
    for (std::size_t i = 0; i < partitions_.size(); ++i)
      status_.partitions.push_back({partitions_[i]->intake.cursor(), log_.heads[i]});
    co_return true;
  }
}

void ConsumerLoop::Run::begin_cursors(SqlTransaction& transaction,
                                      const std::vector<EventId>& at) const {
  for (const EventId& id : at)
    transaction.books().begin_cursor(name_, id.partition, {id, log_.log_id});
}

// The first time: there is no cursor yet.
Task<bool> ConsumerLoop::Run::begin() {
  if (consumer_.begin() == BeginAt::state) return begin_from_states();
  const auto& at = consumer_.begin() == BeginAt::now ? log_.heads : log_.lows;
  for (const EventId& low : log_.lows)
    if (consumer_.begin() == BeginAt::start && low.position > 0)
      record(Severity::warning, "consumer begins behind events that are no longer kept",
             {{"consumer", name_}, {"low", low.text()}});
  return insist_as_owner(
      [this, at](SqlTransaction& transaction) { begin_cursors(transaction, at); });
}

// Pages of the latest states, each applied with a note of how far they went; the cursors begin
// where the heads were before the first page. A crash goes on with the page that was not committed.
Task<bool> ConsumerLoop::Run::begin_from_states() {
  if (notes_.heads.empty()) {
    notes_.heads = internal::texts_of(log_.heads);
    if (!co_await insist_as_owner(
            [this](SqlTransaction& transaction) { write_notes(transaction, notes_); }))
      co_return false;
  }
  internal::Backoff backoff{options_.backoff_first, options_.backoff_max};
  for (const std::string& family : families_) {
    if (family < notes_.family) continue;
    std::string after = family == notes_.family ? notes_.subject : "";
    for (bool more = true; more;) {
      auto page = co_await source_.states(family, after, options_.batch_events_max,
                                          deadline_in(options_.answer_timeout));
      if (ending()) co_return false;
      if (!page) {
        waits(consumer_.source(), page.error());
        co_await pause(&leading_, backoff.next());
        continue;
      }
      backoff.reset();
      if (!co_await apply_states(*page, family)) co_return false;
      after = page->next;
      more = !after.empty();
    }
  }
  const auto at = internal::ids_of(notes_.heads);
  notes_.heads.clear();
  notes_.family = notes_.subject = "";
  co_return co_await insist_as_owner([this, at](SqlTransaction& transaction) {
    begin_cursors(transaction, *at);
    write_notes(transaction, notes_);
  });
}

// A state that cannot be applied ends the beginning: there is nothing yet that could wait for it.
Task<bool> ConsumerLoop::Run::apply_states(StatesPage page, std::string family) {
  if (page.log_id != log_.log_id) {
    end(End::again, "");
    co_return false;
  }
  std::vector<Consumer::Decoded> decoded;
  for (const CloudEvent& event : page.batch->events())
    decoded.push_back(consumer_.decode(event.type, event.data));
  auto notes = notes_;
  notes.family = std::move(family);
  if (!page.batch->events().empty()) notes.subject = page.batch->events().back().subject;
  const bool applied = co_await insist_as_owner([this, batch = page.batch, decoded,
                                                 notes](SqlTransaction& transaction) {
    for (std::size_t i = 0; i < decoded.size(); ++i)
      consumer_.apply(transaction, decoded[i], delivery_of(batch->events()[i], consumer_.source()));
    write_notes(transaction, notes);
    FREEHOLD_CRASH_POINT("consumer.after_states");
  });
  if (applied) notes_ = notes;
  co_return applied;
}

// From here on a crash may be an event's doing. What the last life left undone is tried carefully.
Task<bool> ConsumerLoop::Run::mark_unclean() {
  if (!notes_.clean) {
    if (consumer_.unclean_stop_handler()) consumer_.unclean_stop_handler()();
    for (std::size_t i = 0; i < partitions_.size(); ++i) {
      partitions_[i]->careful_through = log_.heads[i].position;
      partitions_[i]->careful_events = options_.batch_events_max;
    }
    co_return true;
  }
  notes_.clean = false;
  co_return co_await insist_as_owner([this](SqlTransaction& transaction) {
    write_notes(transaction, notes_);
    transaction.books().forget_tries(name_);
  });
}

}  // namespace freehold
