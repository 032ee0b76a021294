// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/sagas.h"

#include <algorithm>
#include <set>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/events/event.h"
#include "freehold/saga/internal/saga_pulse.h"
#include "freehold/saga/internal/saga_run.h"
#include "freehold/saga/internal/saga_runner.h"
#include "freehold/saga/internal/saga_timers.h"

namespace freehold {

using internal::SagaRunner;

namespace {

constexpr std::size_t sagas_at_once = 100;
constexpr SagaStatus live[] = {SagaStatus::running, SagaStatus::parked, SagaStatus::diverged};

// Calls `visit(saga)` for every live saga, a page to a snapshot.
template <class Visit>
Result<> for_each_live(Database& database, const Visit& visit) {
  for (const SagaStatus status : live) {
    std::string after;
    for (bool more = true; more;) {
      FREEHOLD_TRY(database.read_now([&](SqlTransaction& transaction) {
        auto page = transaction.books().sagas(status, after, sagas_at_once);
        for (SagaRecord& saga : page) visit(saga);
        more = page.size() == sagas_at_once;
        if (more) after = page.back().id;
      }));
    }
  }
  return {};
}

// The types of the sagas that are alive. An id begins with its type and '/', so the ids of the next
// type begin after type and '0', the character behind '/': one row is read for each type.
Result<std::set<std::string>> live_types(Database& database) {
  std::set<std::string> types;
  FREEHOLD_TRY(database.read_now([&](SqlTransaction& transaction) {
    for (const SagaStatus status : live) {
      std::string after;
      for (;;) {
        const auto first = transaction.books().sagas(status, after, 1);
        if (first.empty()) break;
        types.insert(first.front().type);
        after = first.front().type + '0';
      }
    }
  }));
  return types;
}

}  // namespace

class Sagas::Parts {
 public:
  Parts(Database& of, const boost::asio::any_io_executor& executor, SagaOptions with)
      : database(of),
        options(std::move(with)),
        pulse(internal::SagaPulse::of(own_service())),
        runner(std::make_shared<internal::SagaRunner>(
            of,
            internal::RunnerOptions{options.attempts_max, options.deaths_max, options.retry_after,
                                    options.keep_ended, options.owner},
            pulse)),
        timers(std::make_shared<internal::SagaTimers>(executor, runner, pulse)) {}

  Database& database;
  const SagaOptions options;
  internal::SagaPulse& pulse;
  const std::shared_ptr<internal::SagaRunner> runner;
  const std::shared_ptr<internal::SagaTimers> timers;
};

Sagas::Sagas(Database& database, const boost::asio::any_io_executor& executor, SagaOptions options)
    : parts_(std::make_unique<Parts>(database, executor, std::move(options))) {
  FREEHOLD_ASSERT(!own_service().empty(), "Sagas before set_own_service()");
}

Sagas::~Sagas() = default;

void Sagas::add(internal::SagaProgram program) {
  parts_->runner->add(std::move(program));
}

std::vector<std::string> Sagas::peers() const {
  std::set<std::string> peers;
  for (const auto& [name, program] : parts_->runner->programs())
    for (const std::string_view type : program.command_types) peers.emplace(service_of(type));
  return {peers.begin(), peers.end()};
}

Consumer Sagas::replies_from(std::string peer) {
  Consumer consumer{"sagas", std::move(peer)};
  // An instance that takes over from one that has died may find the reply that killed it.
  consumer.after_unclean_stop(
      [runner = parts_->runner] { runner->be_careful(SagaRunner::careful_resumes); });
  consumer.on_family("freehold.reply", [runner = parts_->runner](SqlTransaction& transaction,
                                                                 const Delivery& delivery) {
    runner->take_reply(transaction, delivery);
  });
  consumer.on_family(
      "freehold.command_set_aside",
      [runner = parts_->runner](SqlTransaction& transaction, const Delivery& delivery) {
        runner->take_set_aside(transaction, delivery);
      });
  return consumer;
}

Result<> Sagas::start() {
  std::int64_t running = 0, parked = 0, diverged = 0;
  bool was_open = false;
  FREEHOLD_TRY(parts_->database.write_now([&](SqlTransaction& transaction) -> Result<> {
    Books& books = transaction.books();
    running = books.count_sagas(SagaStatus::running);
    parked = books.count_sagas(SagaStatus::parked);
    diverged = books.count_sagas(SagaStatus::diverged);
    if (parts_->runner->is_one_of_several()) {
      parts_->runner->leads(transaction);  // unless another one is alive: then it does
      return {};
    }
    was_open = books.document(SagaRunner::state_document) == SagaRunner::open;
    if (!was_open) books.put_document(SagaRunner::state_document, SagaRunner::open);
    return {};
  }));
  parts_->pulse.begin(running, parked, diverged);
  if (was_open) parts_->runner->be_careful(SagaRunner::careful_resumes);
  parts_->timers->start();
  return {};
}

Task<> Sagas::stop() {
  co_await parts_->timers->stop();
  co_await parts_->runner->leave();
}

Result<> Sagas::ready() const {
  FREEHOLD_TRY(const auto types, live_types(parts_->database));
  std::string unknown;
  for (const std::string& type : types) {
    if (parts_->runner->programs().contains(type)) continue;
    unknown.append(unknown.empty() ? "" : ", ").append(type);
  }
  if (!unknown.empty()) return Error{errors::saga_type_unknown, unknown};
  return {};
}

Result<> Sagas::admit() const {
  const std::int64_t bound = std::max(parts_->options.in_flight_min,
                                      parts_->pulse.finishing_in(parts_->options.in_flight_for));
  if (parts_->pulse.running() >= bound) return errors::overloaded;
  return {};
}

Result<std::vector<SagaFinding>> Sagas::check() const {
  std::vector<SagaFinding> findings;
  const auto check_one = [&](SagaRecord& saga) {
    const auto find = [&](SagaFinding::Kind kind, int step, std::string what) {
      findings.push_back({kind, saga.id, step, std::move(what)});
    };
    const auto program = parts_->runner->programs().find(saga.type);
    if (program == parts_->runner->programs().end())
      return find(SagaFinding::Kind::unknown_type, 0, "this program has no saga " + saga.type);
    const Result<Saga> body = program->second.begin(saga.input);
    if (!body) return find(SagaFinding::Kind::unreadable, 0, body.error().text());
    internal::SagaRun run{*body, saga};
    run.watch_requests();
    try {
      if (run.replay() == internal::SagaRun::Place::diverged)
        find(SagaFinding::Kind::diverged, run.step(), run.why());
    } catch (const std::exception& exception) {
      find(SagaFinding::Kind::unreadable, run.step(), exception.what());
    }
    for (const auto& changed : run.changed_requests())
      find(SagaFinding::Kind::request_changed, changed.step,
           "`" + changed.name + "` asks for something else than when it was journalled");
  };
  FREEHOLD_TRY(for_each_live(parts_->database, check_one));
  return findings;
}

SagaCounts Sagas::counts() const {
  const internal::SagaPulse& pulse = parts_->pulse;
  return {.running = pulse.running(),
          .diverged = pulse.waiting_diverged(),
          .parked = pulse.waiting_parked(),
          .ended = pulse.ended(),
          .failed = pulse.failed(),
          .late_outcomes = pulse.late(),
          .unknown_replies = pulse.unknown(),
          .failed_attempts = pulse.failures()};
}

Result<std::vector<SagaRecord>> Sagas::list(SagaStatus status, std::string after_id,
                                            std::size_t sagas_max) const {
  std::vector<SagaRecord> sagas;
  FREEHOLD_TRY(parts_->database.read_now([&](SqlTransaction& transaction) {
    sagas = transaction.books().sagas(status, after_id, sagas_max);
  }));
  return sagas;
}

Task<Result<>> Sagas::retry(std::string saga) {
  co_return co_await parts_->database.write(
      [runner = parts_->runner, saga = std::move(saga)](SqlTransaction& transaction) {
        return runner->retry(transaction, saga);
      });
}

Task<Result<std::size_t>> Sagas::forget_ended() {
  return parts_->runner->forget_ended();
}

void Sagas::take_reply(SqlTransaction& transaction, const Delivery& delivery) {
  parts_->runner->take_reply(transaction, delivery);
}

void Sagas::take_set_aside(SqlTransaction& transaction, const Delivery& delivery) {
  parts_->runner->take_set_aside(transaction, delivery);
}

Task<Result<std::size_t>> Sagas::fire_due() {
  std::size_t fired = 0;
  for (;;) {
    const auto timers = co_await parts_->runner->fire_timers();
    FREEHOLD_CO_TRY(const auto attempts, co_await parts_->runner->try_again());
    if (!timers) co_return timers.error();
    fired += *timers + attempts;
    if (*timers + attempts == 0) co_return fired;
  }
}

}  // namespace freehold
