// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/service.h"

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/base/id.h"
#include "freehold/base/memory.h"
#include "freehold/base/record.h"
#include "freehold/database/migrations.h"
#include "freehold/database/postgres/postgres_url.h"
#include "freehold/database/sqlite/sqlite_directory.h"
#include "freehold/service/internal/confinement_probe.h"
#include "freehold/service/operator_command.h"
#include "freehold/service/records.h"
#include "freehold/service/service_parts.h"

namespace freehold {
namespace {

std::uint16_t port_of(std::string_view address) {
  return static_cast<std::uint16_t>(
      std::atoi(std::string{address.substr(address.rfind(':') + 1)}.c_str()));
}

Task<Result<std::string>> keys_of(http::Peer* issuer) {
  http::Request request{.target = "/api/.well-known/jwks.json"};
  FREEHOLD_CO_TRY(auto answer, co_await issuer->exchange(std::move(request),
                                                         deadline_in(std::chrono::seconds{3})));
  if (answer.status != 200) co_return http::read_problem(answer);
  co_return std::move(answer.body);
}

Task<Result<std::string>> own_keys(std::string jwks) {
  co_return jwks;
}

}  // namespace

void refuse_to_start(std::string_view service, std::string_view why, int code) {
  std::fprintf(stderr, "%.*s: %.*s\n", static_cast<int>(service.size()), service.data(),
               static_cast<int>(why.size()), why.data());
  std::exit(code);  // NOLINT(concurrency-mt-unsafe): there is one thread yet
}

Service::Service(std::string name, int argc, char** argv)
    : parts_(std::make_unique<Parts>(std::move(name))) {
  if (argc == 2 && std::string_view{argv[1]} == "--list-crash-points") {
    for (std::string_view point : crash_points())
      std::printf("%.*s\n", static_cast<int>(point.size()), point.data());
    std::exit(0);  // NOLINT(concurrency-mt-unsafe)
  }
  auto configuration = Configuration::read(parts_->name, argc, argv);
  if (!configuration) refuse_to_start(parts_->name, configuration.error().detail(), 2);
  if (configuration->command == std::vector<std::string>{"help"})
    std::exit(0);  // NOLINT(concurrency-mt-unsafe)
  parts_->configuration = *std::move(configuration);
  const auto& command = parts_->configuration.command;
  if (is_reference(command)) {
    parts_->scratch = make_scratch_directory();
    parts_->configuration.data = parts_->scratch;
    parts_->configuration.trust = parts_->scratch / "trust";
    parts_->configuration.database_url.clear();
  }
  send_records(parts_->name, command.empty() ? parts_->configuration.log_level : "error");
  set_own_service(parts_->name);
}

Service::~Service() {
  parts_->delete_scratch();
}

Database& Service::database(std::span<const Migration> migrations) {
  Parts& parts = *parts_;
  FREEHOLD_ASSERT(!parts.database, "a service has one database");
  parts.migrations = migrations;
  parts.open_identity();
  parts.confine_process();

  // From here on there are threads.
  give_back_unused_memory();
  auto executor = parts.io.get_executor();
  parts.transport = http::network_transport(executor);
  if (const auto done = run_on_running_service(parts)) std::exit(*done);  // NOLINT
  if (is_check(parts.configuration.command) && !parts.is_on_server()) {
    parts.scratch = parts.configuration.data / checked_copy;
    if (const auto copied = copy_to_scratch(parts); !copied) parts.refuse(copied.error().text());
  }
  parts.open_database(migrations);
  parts.authentication =
      std::make_unique<CallerAuthentication>(parts.name, parts.configuration.trust, executor);
  parts.routes = std::make_unique<http::Routes>(parts.authentication.get());
  parts.answers =
      std::make_unique<http::RememberedAnswers>(*parts.database, parts.configuration.answers_max);
  parts.routes->remember_answers_in(*parts.answers);
  parts.sagas = std::make_unique<Sagas>(
      *parts.database, executor, SagaOptions{.owner = parts.is_on_server() ? parts.instance : ""});
  parts.replicas = parts.is_on_server()
                       ? std::make_unique<Replicas>(
                             *parts.database, [&] { return parts.open_schema(); }, parts.instance)
                       : std::make_unique<Replicas>(*parts.database);
  parts.held = std::make_unique<HeldForCallers>(*parts.database, parts.configuration.callers);
  parts.event_log = std::make_unique<EventLog>(
      *parts.database, parts.name, executor,
      EventLogOptions{.age = std::chrono::hours{24 * parts.configuration.retention_days},
                      .owner = parts.instance});
  return *parts.database;
}

http::Routes& Service::routes() {
  return *parts_->routes;
}

http::Peer& Service::peer(std::string_view name) {
  return *parts_->neighbour(name).peer;
}

Commands& Service::commands() {
  return parts_->commands;
}

void Service::consume(Consumer consumer) {
  parts_->consumers.push_back(std::move(consumer));
}

void Service::add_published(PublishedEvent event) {
  parts_->published.push_back(std::move(event));
}

void Service::holds(std::string what, Holdings holdings) {
  parts_->held->add(std::move(what), std::move(holdings));
}

void Service::reconciles(Reconciliation reconciliation) {
  parts_->reconciliations.push_back(std::move(reconciliation));
}

Sagas& Service::sagas() {
  return *parts_->sagas;
}

void Service::on_command(std::string name, OwnCommand command) {
  parts_->own_commands.emplace(std::move(name), std::move(command));
}

const Configuration& Service::configuration() const {
  return parts_->configuration;
}

boost::asio::any_io_executor Service::executor() {
  return parts_->io.get_executor();
}

// A command on a server looks at what is there, and makes nothing.
void Service::add_replica(ReplicaProgram replica) {
  if (parts_->is_on_server() && !parts_->configuration.command.empty()) return;
  const std::string source = replica.source;
  auto consumer = parts_->replicas->copy(std::move(replica), *parts_->neighbour(source).feed);
  if (!consumer) parts_->refuse(consumer.error().text());
  parts_->consumers.push_back(*std::move(consumer));
}

void Service::believes_tokens_of(std::string issuer, std::string audience) {
  // A peer of its own: a consumer that waits for the issuer opens its breaker, and then the fetch
  // for the first token would not be tried.
  parts_->issuer = parts_->make_peer(issuer);
  parts_->authentication->believe(std::move(issuer), std::move(audience), *parts_->database,
                                  [peer = parts_->issuer.get()] { return keys_of(peer); });
}

void Service::believes_own_tokens(std::string audience, std::string jwks) {
  parts_->authentication->believe(parts_->name, std::move(audience), *parts_->database,
                                  [jwks = std::move(jwks)] { return own_keys(jwks); });
}

int Service::run() {
  Parts& parts = *parts_;
  for (const std::string& peer : parts.sagas->peers()) {
    parts.neighbour(peer);
    parts.consumers.push_back(parts.sagas->replies_from(peer));
  }
  for (const std::string& caller : parts.configuration.callers)
    parts.consumers.push_back(parts.commands.from(caller));
  parts.add_own_routes();
  parts.add_metrics();
  if (is_reference(parts.configuration.command)) return print_reference(parts);
  if (!parts.configuration.command.empty()) return run_on_stopped_service(parts);
  return parts.serve();
}

std::unique_ptr<http::Peer> Service::Parts::make_peer(std::string_view peer) {
  const auto known = configuration.peers.find(std::string{peer});
  std::vector<std::string> where;
  if (known != configuration.peers.end()) {
    where = known->second;
  } else if (is_reference(configuration.command)) {
    where = {"127.0.0.1:1"};
  } else {
    refuse_to_start(
        name, "peers: this service needs '" + std::string{peer} + "' and has no address of it", 2);
  }
  http::PeerOptions options{.identity = [this, audience = std::string{peer}] {
    const std::scoped_lock lock{identity_mutex};
    return identity->token_for(audience);
  }};
  return std::make_unique<http::Peer>(std::string{peer}, where, std::move(options), *transport);
}

Service::Parts::Neighbour& Service::Parts::neighbour(std::string_view peer) {
  if (const auto known = neighbours.find(peer); known != neighbours.end()) return known->second;
  // Readers wait for a neighbour that is not up yet and open their breaker; what probes it then is
  // a long poll. A call must not wait behind that.
  Neighbour made{.peer = make_peer(peer), .source = make_peer(peer)};
  made.feed = std::make_unique<HttpFeed>(*made.source);
  return neighbours.emplace(std::string{peer}, std::move(made)).first->second;
}

void Service::Parts::delete_scratch() {
  if (scratch.empty()) return;
  database.stop();
  std::error_code ignored;
  std::filesystem::remove_all(scratch, ignored);
}

void Service::Parts::refuse(std::string_view why) {
  delete_scratch();
  refuse_to_start(name, why, 1);
}

void Service::Parts::open_identity() {
  if (const auto made = make_private_directory(configuration.data); !made)
    refuse(made.error().text());
  auto opened = identity::ServiceIdentity::open(name, configuration.data, configuration.trust);
  if (!opened) refuse(opened.error().text());
  identity = *std::move(opened);
}

void Service::Parts::confine_process() {
  if (!configuration.confine) {
    record(Severity::warning, "not confined", {{"why", "--confine=false"}});
    return;
  }
  ConfinementPlan plan{.writable = {configuration.data},
                       .readable = system_files(),
                       .listens_on = {configuration.port},
                       .connects_to = {configuration.port}};
  plan.readable.push_back(configuration.trust);
  for (const auto& [peer, addresses] : configuration.peers)
    for (const std::string& address : addresses) plan.connects_to.push_back(port_of(address));
  for (const std::string& url : {configuration.database_url, configuration.migrator_url}) {
    if (url.empty()) continue;
    const PostgresNeeds needs = needs_of_postgres(url).value();
    if (needs.port) plan.connects_to.push_back(*needs.port);
    plan.readable.insert(plan.readable.end(), needs.files.begin(), needs.files.end());
  }
  auto confined = confine(plan);
  if (!confined) refuse(confined.error().text());
  confinement = *std::move(confined);
  for (const std::string& missing : confinement.not_held)
    record(Severity::warning, "this kernel cannot confine everything", {{"not_held", missing}});
  probe_confinement();
}

void Service::Parts::open_database(std::span<const Migration> steps) {
  if (is_on_server()) return open_on_server(steps);
  open_embedded(scratch.empty() ? configuration.data : scratch);
  if (const auto migrated = migrate(*database, steps); !migrated) refuse(migrated.error().text());
}

void Service::Parts::open_embedded(const std::filesystem::path& directory) {
  auto opened = SqliteDatabase::open({.directory = directory,
                                      .executor = io.get_executor(),
                                      .service = name,
                                      .log_partitions = configuration.log_partitions,
                                      .secure_delete = true});
  if (!opened) refuse(opened.error().text());
  database = OwnDatabase{*std::move(opened)};
}

// A service that may not change its schema is refused when a step of it was not run. A command
// changes nothing, and looks at the schema that is there.
void Service::Parts::open_on_server(std::span<const Migration> steps) {
  const bool serves = configuration.command.empty();
  if (serves && !configuration.migrator_url.empty()) {
    auto as_migrator = open_schema();
    if (!as_migrator) refuse(as_migrator.error().text());
    schema = *std::move(as_migrator);
    if (const auto migrated = migrate(*schema, steps); !migrated) refuse(migrated.error().text());
  }
  auto opened = PostgresDatabase::open(postgres(configuration.database_url));
  if (!opened) refuse(opened.error().text());
  database = OwnDatabase{*std::move(opened)};
  instance = to_text(make_id_bytes());
  if (!serves) return;
  if (const auto known = migrate(*database, steps); !known) refuse(known.error().text());
}

PostgresOptions Service::Parts::postgres(const std::string& url) {
  return {.url = url,
          .executor = io.get_executor(),
          .service = name,
          .log_partitions = configuration.log_partitions};
}

Result<std::shared_ptr<Database>> Service::Parts::open_schema() {
  if (schema) return schema;
  if (configuration.migrator_url.empty())
    return Error{errors::database_unavailable,
                 "a table is to be made, and there is no migrator-url"};
  FREEHOLD_TRY(auto opened, PostgresDatabase::open(postgres(configuration.migrator_url)));
  return std::shared_ptr<Database>{std::move(opened)};
}

}  // namespace freehold
