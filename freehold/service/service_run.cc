// SPDX-License-Identifier: Apache-2.0
//
// A service's life: start, serve, stop.
#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdlib>
#include <exception>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/base/run_on.h"
#include "freehold/events/set_aside.h"
#include "freehold/events/state_checkpoint.h"
#include "freehold/schema/json.h"
#include "freehold/service/operator_command.h"
#include "freehold/service/service_parts.h"

namespace freehold {
namespace {

std::string_view name_of(ConsumerState state) {
  switch (state) {
    case ConsumerState::waiting:
      return "waiting";
    case ConsumerState::running:
      return "running";
    case ConsumerState::stopped:
      return "stopped";
  }
  return "stopped";
}

Task<Result<>> erase(const OwnDatabase* database) {
  co_return database->erase_for_good();
}

Task<Result<>> back_up(const OwnDatabase* database, std::filesystem::path file) {
  co_return database->back_up_to(file);
}

Task<Result<>> append_checkpoint(Database* database, std::string family) {
  co_return append_state_checkpoint(*database, family);
}

// What a task of the host throws is a fault that nobody foresaw: the process ends, and the next
// start goes on.
void must_not_fail(const std::exception_ptr& fault) {
  FREEHOLD_ASSERT(!fault, "a task of the host failed");
}

}  // namespace

int Service::Parts::serve() {
  std::error_code ignored;
  std::filesystem::remove_all(configuration.data / checked_copy, ignored);  // of one that died
  if (const auto started = start(); !started) {
    database.stop();
    refuse_to_start(name, started.error().text(), 1);
  }
  boost::asio::signal_set signals{io, SIGTERM, SIGINT};
  signals.async_wait([this](boost::system::error_code error, int) {
    if (!error) boost::asio::co_spawn(io, stop(), must_not_fail);
  });
  record(Severity::info, "serving",
         {{"address", configuration.address},
          {"port", server->port()},
          {"landlock_abi", confinement.abi}});
  auto guard = boost::asio::make_work_guard(io);
  while (!is_stopped) io.run_one();

  // What was accepted is committed before the process ends; its completions still want a thread.
  blocking->join();
  database.stop();
  more_io->stop();
  guard.reset();
  io.restart();
  io.poll();
  record(Severity::info, "stopped");
  // A request that was cut at the deadline is still suspended, and refers to parts that would be
  // destroyed before it.
  std::_Exit(0);
}

Result<> Service::Parts::start() {
  schema.reset();  // all tables are made
  FREEHOLD_TRY(answers->load());
  FREEHOLD_TRY(sagas->start());
  routes->describe_at_openapi_json(name, std::string{program_version});
  routes->on_answered([this](const http::Answered& answered) { metrics.answered(answered); });
  more_io = std::make_unique<IoThreads>(configuration.io_threads - 1);
  auto threads = more_io->executors();
  threads.insert(threads.begin(), io.get_executor());
  server = std::make_unique<http::Server>(
      *routes, http::ServerOptions{.address = configuration.address, .port = configuration.port},
      std::move(threads));
  FREEHOLD_TRY(server->start());
  event_log->start();
  blocking = std::make_unique<boost::asio::thread_pool>(1);
  boost::asio::co_spawn(io, erase_for_good(), must_not_fail);
  boost::asio::co_spawn(io, checkpoint_states(), must_not_fail);
  boost::asio::co_spawn(io, refresh_issuer_keys(), must_not_fail);
  if (is_on_server()) boost::asio::co_spawn(io, forget_old_answers(), must_not_fail);
  ConsumerOptions options{.retry_first =
                              std::chrono::milliseconds{configuration.consumer_retry_ms}};
  // An instance that has died is replaced within 5 s: the lease, and what is left of it when the
  // next look comes.
  if (is_on_server()) options.lease = std::chrono::seconds{3};
  options.owner = instance;
  for (Consumer& consumer : consumers) {
    HttpFeed& feed = *neighbour(consumer.source()).feed;
    ConsumerOptions of_source = options;
    // An instance of the source that says nothing is left for the next one, in the same 5 s.
    if (configuration.peers.at(consumer.source()).size() > 1) {
      of_source.poll_timeout = std::chrono::seconds{2};
      of_source.answer_timeout = std::chrono::seconds{3};
    }
    loops.push_back(std::make_unique<ConsumerLoop>(*database, feed, std::move(consumer),
                                                   io.get_executor(), of_source));
    loops.back()->start();
    if (replicas->wants_rebuild(loops.back()->consumer().cursor_name()))
      boost::asio::co_spawn(io, rebuild(loops.back().get()), must_not_fail);
  }
  consumers.clear();
  return {};
}

// Until it has succeeded once: the owner may be away for as long as it likes.
Task<> Service::Parts::rebuild(ConsumerLoop* consumer) {
  constexpr std::chrono::seconds pause_max{30};
  std::chrono::seconds pause{1};
  boost::asio::basic_waitable_timer<SteadyClock> again{io};
  while (!is_asked_to_stop) {
    const auto rebuilt = co_await consumer->rebuild();
    if (rebuilt) co_return;
    record(Severity::warning, "replica not rebuilt",
           {{"consumer", consumer->consumer().cursor_name()}, {"why", rebuilt.error().text()}});
    again.expires_after(pause);
    co_await again.async_wait(boost::asio::use_awaitable);
    pause = std::min(2 * pause, pause_max);
  }
}

// Of several instances one does so, for as long as it comes in time.
Task<bool> Service::Parts::checkpoints_now() {
  if (!database->is_shared()) co_return true;
  const auto length = std::chrono::seconds{configuration.checkpoint_every_s} * 3 / 2;
  const auto epoch = co_await database->write([this, length](SqlTransaction& transaction) {
    return transaction.books().take_lease("checkpoints", instance, length);
  });
  co_return epoch && *epoch;
}

// Lets replicas elsewhere compare themselves with what this service has published.
Task<> Service::Parts::checkpoint_states() {
  while (true) {
    checkpoint.expires_after(std::chrono::seconds{configuration.checkpoint_every_s});
    const auto [stopped] =
        co_await checkpoint.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (stopped) co_return;
    if (!co_await checkpoints_now()) continue;
    for (const PublishedEvent& event : published) {
      if (!event.is_state) continue;
      const Result<> appended = co_await boost::asio::co_spawn(
          blocking->get_executor(),
          append_checkpoint(&*database, std::string{family_of(event.type)}),
          boost::asio::use_awaitable);
      if (!appended)
        record(Severity::warning, "states not checkpointed", {{"why", appended.error().text()}});
    }
  }
}

// A token names the key that signed it, so a key that was withdrawn would be believed for as long
// as nobody brings a token of a new one.
Task<> Service::Parts::refresh_issuer_keys() {
  constexpr std::chrono::seconds pause_after_failure_max{30};
  const std::chrono::seconds pause{configuration.keys_refetch_s};
  while (!is_asked_to_stop) {
    const auto refreshed = co_await authentication->refresh_keys();
    key_refresh.expires_after(refreshed ? pause : std::min(pause, pause_after_failure_max));
    const auto [stopped] =
        co_await key_refresh.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (stopped) co_return;
  }
}

// What was deleted still stands in the write-ahead log, and is gone when that was emptied. Nothing
// is to be emptied where nothing was committed. A server's database knows itself what is to be
// done.
Task<> Service::Parts::erase_for_good() {
  const std::chrono::milliseconds pause{configuration.erase_within_s * 500LL};
  std::uint64_t emptied_at = 0;  // commits
  while (true) {
    erasure.expires_after(pause);
    const auto [stopped] =
        co_await erasure.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (stopped) co_return;
    const std::uint64_t commits = database.lane_statistics().batches;
    if (database.embedded() && commits == emptied_at) continue;
    const Result<> emptied = co_await boost::asio::co_spawn(
        blocking->get_executor(), erase(&database), boost::asio::use_awaitable);
    if (emptied)
      emptied_at = commits;
    else
      record(Severity::warning, "deleted data stays for a while",
             {{"why", emptied.error().text()}});
  }
}

// Where several instances share the database no call empties what holds old answers alone.
Task<> Service::Parts::forget_old_answers() {
  constexpr std::chrono::minutes pause{10};
  while (true) {
    const Result<> forgotten = co_await answers->forget_old();
    if (!forgotten)
      record(Severity::warning, "old answers not forgotten", {{"why", forgotten.error().text()}});
    forgetting.expires_after(pause);
    const auto [stopped] =
        co_await forgetting.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (stopped) co_return;
  }
}

// What does not end by then will not: the process ends without it, as in a crash, from which the
// next start goes on. What was answered is on disk.
void Service::Parts::give_up_at(Deadline deadline) {
  patience.expires_at(deadline);
  patience.async_wait([](boost::system::error_code error) {
    if (error) return;
    record(Severity::error, "not stopped in time");
    std::_Exit(1);
  });
}

// Readers first, for their waiting requests hold the server; then the server, so that nothing new
// comes; then what works by itself.
Task<> Service::Parts::stop() {
  record(Severity::info, "stopping");
  is_asked_to_stop = true;
  const Deadline deadline = deadline_in(std::chrono::seconds{configuration.stop_timeout_s});
  give_up_at(deadline + std::chrono::seconds{2});
  co_await event_log->stop();
  co_await server->stop(deadline);
  for (auto& loop : loops) co_await loop->stop();
  co_await sagas->stop();
  erasure.cancel();
  checkpoint.cancel();
  key_refresh.cancel();
  forgetting.cancel();
  is_stopped = true;
}

void Service::Parts::add_own_routes() {
  routes->get<"/livez">(&Parts::livez, *this).open();
  routes->get<"/readyz">(&Parts::readyz, *this).open();
  routes->get<"/metrics">(&Parts::show_metrics, *this).open();
  event_log->routes(*routes);
  operator_routes = std::make_unique<OperatorRoutes>(
      name, [this] { return run_on(io.get_executor(), view_now()); },
      [this](OperatorRequest request) {
        return run_on(io.get_executor(), act(std::move(request)));
      });
  operator_routes->routes(*routes);
  held->routes(*routes);
}

Task<Result<Alive>> Service::Parts::livez(http::None, http::Call) {
  co_return Alive{"alive"};
}

// Speaks of the service's own database and program only: a peer that is down makes nobody unready.
Task<Result<Ready>> Service::Parts::readyz(http::None, http::Call) {
  FREEHOLD_CO_TRY(co_await database->read(
      [](SqlTransaction& transaction) { return transaction.books().log().partitions; }));
  FREEHOLD_CO_TRY(sagas->ready());
  co_return Ready{"ready", confinement.not_held};
}

// NOLINTNEXTLINE(readability-make-member-function-const): a handler, as the two above
Task<Result<http::Response>> Service::Parts::show_metrics(http::None, http::Call) {
  return run_on(io.get_executor(), metrics_text());
}

Task<Result<http::Response>> Service::Parts::metrics_text() const {
  http::Response response;
  response.headers.add("Content-Type", "text/plain; version=0.0.4");
  response.body = metrics.text();
  co_return response;
}

Task<Result<OperatorView>> Service::Parts::view_now() const {
  co_return view();
}

Result<OperatorView> Service::Parts::view() const {
  OperatorView view;
  for (const auto& loop : loops) {
    const ConsumerStatus status = loop->status();
    view.consumers.push_back({.name = loop->consumer().cursor_name(),
                              .state = std::string{name_of(status.state)},
                              .report = status.report,
                              .last_error = status.last_error,
                              .lag = static_cast<std::int64_t>(status.lag()),
                              .keys_aside = static_cast<std::int64_t>(status.keys_aside)});
  }
  FREEHOLD_TRY(database->read_now([&](SqlTransaction& transaction) {
    for (const AsideEvent& event : list_set_aside(transaction))
      view.set_aside.push_back({.consumer = event.consumer,
                                .key = event.key,
                                .event = event.id.text(),
                                .attempts = event.attempts,
                                .parked = event.parked,
                                .why = event.why});
  }));
  for (const auto status : {SagaStatus::parked, SagaStatus::diverged}) {
    FREEHOLD_TRY(const auto stopped, sagas->list(status, "", 1000));
    for (const SagaRecord& saga : stopped)
      view.stopped_sagas.push_back(
          {saga.id, status == SagaStatus::parked ? "parked" : "diverged", saga.why});
  }
  return view;
}

ConsumerLoop* Service::Parts::loop(std::string_view cursor_name) {
  for (const auto& loop : loops)
    if (loop->consumer().cursor_name() == cursor_name) return loop.get();
  return nullptr;
}

ConsumerLoop* Service::Parts::loop_of_replica(std::string_view table) {
  for (const auto& loop : loops)
    if (loop->consumer().name() == table && loop->consumer().rebuild()) return loop.get();
  return nullptr;
}

Task<Result<std::string>> Service::Parts::act(OperatorRequest request) {
  if (request.what == "reconcile")
    co_return co_await reconcile(std::move(request.name), request.key == "apply");
  FREEHOLD_CO_TRY(co_await tend(std::move(request)));
  co_return std::string{};
}

// A reader that has stopped has not seen what the peer did: it would be taken for lost.
Task<Result<std::string>> Service::Parts::reconcile(std::string peer, bool apply) {
  for (const auto& loop : loops)
    if (loop->consumer().source() == peer && loop->status().state == ConsumerState::stopped)
      co_return Error{errors::log_diverged, loop->consumer().cursor_name() +
                                                " is stopped: first rejoin it; " +
                                                loop->status().report};
  std::string report;
  for (const Reconciliation& reconciliation : reconciliations) {
    if (reconciliation.peer != peer) continue;
    Comparison comparison{*database, *neighbour(peer).peer, reconciliation};
    FREEHOLD_CO_TRY(const auto part, co_await comparison.run(apply));
    report += (report.empty() ? "" : "\n") + part;
  }
  if (report.empty())
    co_return Error{errors::not_found, "this service has nothing at '" + peer + "' to compare"};
  co_return report;
}

Task<Result<>> Service::Parts::tend(OperatorRequest request) {
  if (request.what == "retry") co_return co_await sagas->retry(request.name);
  if (const auto own = own_commands.find(request.what); own != own_commands.end())
    co_return co_await own->second(request.name);
  if (request.what == "backup") {
    FREEHOLD_CO_TRY(auto file, backup_file(configuration.data, request.name));
    co_return co_await boost::asio::co_spawn(
        blocking->get_executor(), back_up(&database, std::move(file)), boost::asio::use_awaitable);
  }
  if (request.what != "rebuild" && request.what != "rejoin" && request.what != "redrive")
    co_return Error{errors::malformed, "no command '" + request.what + "'; see --help"};
  ConsumerLoop* consumer = loop(request.name);
  if (!consumer) consumer = loop_of_replica(request.name);
  if (!consumer) co_return Error{errors::not_found, "no consumer '" + request.name + "'"};
  if (request.what == "rebuild") co_return co_await consumer->rebuild();
  if (request.what == "rejoin") co_return co_await consumer->rejoin();
  if (!request.key) co_return Error{errors::malformed, "redrive needs a key"};
  co_return co_await consumer->redrive(*request.key);
}

}  // namespace freehold
