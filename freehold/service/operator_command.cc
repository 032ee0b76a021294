// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/operator_command.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/database/sqlite/sqlite_backup.h"
#include "freehold/database/sqlite/sqlite_directory.h"
#include "freehold/schema/json.h"

namespace freehold {

BOOST_DESCRIBE_STRUCT(ConfigurationKey, (), (name, type, standard, sentence))

namespace {

using Words = std::vector<std::string>;

struct PublishedDescription {
  std::string type;
  RawJson schema;
};
BOOST_DESCRIBE_STRUCT(PublishedDescription, (), (type, schema))

struct AcceptedDescription {
  std::string type;
  RawJson schema;
  RawJson reply;
};
BOOST_DESCRIBE_STRUCT(AcceptedDescription, (), (type, schema, reply))

struct TableDescription {
  std::string name;
  std::string sql;
};
BOOST_DESCRIBE_STRUCT(TableDescription, (), (name, sql))

struct ProgramDescription {
  std::string service;
  std::vector<PublishedDescription> publishes;
  std::vector<AcceptedDescription> accepts;  // commands
  std::vector<std::string> sends_commands_to;
  std::vector<std::string> reads;  // consumers, as <name>@<source>
  std::vector<TableDescription> tables;
  std::vector<ConfigurationKey> configuration;
  std::vector<Metrics::Description> metrics;
};
BOOST_DESCRIBE_STRUCT(ProgramDescription, (),
                      (service, publishes, accepts, sends_commands_to, reads, tables, configuration,
                       metrics))

constexpr sql::Query<TableDescription()> all_tables{
    "select name, sql from sqlite_master where type = 'table' and sql is not null order by name"};

// What the command asks of a running service; nullopt: it is not of that sort.
std::optional<OperatorRequest> request_of(const Words& command) {
  if (command.size() == 4 && command[0] == "parked" && command[1] == "redrive")
    return OperatorRequest{"redrive", command[2], command[3]};
  if (command.size() == 3 && command[0] == "reconcile" && command[2] == "apply")
    return OperatorRequest{"reconcile", command[1], command[2]};
  if (command.size() == 2) return OperatorRequest{command[0], command[1], std::nullopt};
  return std::nullopt;
}

bool is_view(const Words& command) {
  return command == Words{"parked"};
}

int report(std::string_view service, const Result<std::string>& outcome) {
  if (outcome) {
    std::printf("%s\n", outcome->empty() ? "done" : outcome->c_str());
    return 0;
  }
  std::fprintf(stderr, "%s: %s\n", std::string{service}.c_str(), outcome.error().text().c_str());
  return 1;
}

Task<Result<http::Response>> ask(http::Peer* peer, Words command) {
  const Deadline deadline = deadline_in(std::chrono::minutes{10});
  http::Request request{.target = "/operator"};
  if (const auto act = request_of(command)) {
    request.method = http::Method::post;
    request.headers.add("Content-Type", "application/json");
    request.body = to_json(*act);
  }
  co_return co_await peer->exchange(std::move(request), deadline);
}

Task<> ask_and_keep(http::Peer* peer, Words command,
                    std::optional<Result<http::Response>>* outcome) {
  outcome->emplace(co_await ask(peer, std::move(command)));
}

// What the running service answers; nullopt: none runs.
std::optional<Result<std::string>> ask_running_service(Service::Parts& parts, Words command) {
  const std::string address =
      parts.configuration.address + ":" + std::to_string(parts.configuration.port);
  http::PeerOptions options{.identity = [&parts] { return parts.identity->token_for(parts.name); },
                            .attempts_max = 1};
  http::Peer self{parts.name, {address}, std::move(options), *parts.transport};
  std::optional<Result<http::Response>> outcome;
  boost::asio::co_spawn(parts.io, ask_and_keep(&self, std::move(command), &outcome),
                        boost::asio::detached);
  while (!outcome) parts.io.run_one();
  if (!*outcome) {
    if (outcome->error().is(errors::peer_unavailable)) return std::nullopt;
    return outcome->error();
  }
  if ((*outcome)->status >= 400) return http::read_problem(**outcome);
  return std::move((*outcome)->body);
}

// Replays every live journal with this program.
int check(Service::Parts& parts) {
  const auto findings = parts.sagas->check();
  if (!findings) return report(parts.name, findings.error());
  bool diverged = false;
  for (const SagaFinding& finding : *findings) {
    diverged |= finding.kind != SagaFinding::Kind::request_changed;
    std::printf("%s step %d: %s\n", finding.saga.c_str(), finding.step, finding.what.c_str());
  }
  std::printf("%s\n", diverged ? "not ready for a rollout" : "ready for a rollout");
  return diverged ? 1 : 0;
}

}  // namespace

bool is_reference(const Words& command) {
  return command == Words{"reference"};
}

std::filesystem::path make_scratch_directory() {
  std::string name = (std::filesystem::temp_directory_path() / "freehold-XXXXXX").string();
  FREEHOLD_ASSERT(mkdtemp(name.data()), "no temporary directory can be made");
  return name;
}

bool is_check(const Words& command) {
  return command == Words{"check"};
}

Result<> copy_to_scratch(Service::Parts& parts) {
  const std::filesystem::path& scratch = parts.scratch;
  std::error_code ignored;
  std::filesystem::remove_all(scratch, ignored);
  FREEHOLD_TRY(make_private_directory(scratch));
  const std::filesystem::path file = scratch / database_file_name;
  const auto asked = ask_running_service(parts, {"backup", file.string()});
  if (asked && !*asked) return asked->error();
  if (asked) return {};
  FREEHOLD_TRY(const auto held, SqliteDirectory::open(parts.configuration.data));
  return back_up({.file = (parts.configuration.data / database_file_name).string()}, file);
}

Result<std::filesystem::path> backup_file(const std::filesystem::path& data,
                                          std::string_view name) {
  std::filesystem::path file = (data / name).lexically_normal();
  const std::filesystem::path inside = file.lexically_relative(data);
  if (inside.empty() || *inside.begin() == ".." || inside == ".")
    return Error{errors::malformed, file.string() + " is not in " + data.string() +
                                        ", the only directory that this service can write to"};
  if (std::filesystem::exists(file))
    return Error{errors::malformed, file.string() + " is there already"};
  return file;
}

std::optional<int> run_on_running_service(Service::Parts& parts) {
  const Words& command = parts.configuration.command;
  const bool is_known = request_of(command) || is_view(command) || is_check(command) ||
                        command.empty() || is_reference(command);
  if (!is_known) refuse_to_start(parts.name, "no such command; see --help", 2);
  if (!request_of(command) && !is_view(command)) return std::nullopt;

  const auto outcome = ask_running_service(parts, command);
  if (!outcome) return std::nullopt;
  return report(parts.name, *outcome);
}

int run_on_stopped_service(Service::Parts& parts) {
  const Words& command = parts.configuration.command;
  if (is_check(command)) return check(parts);
  if (is_view(command)) {
    const auto view = parts.view();
    return report(parts.name, view ? Result<std::string>{to_json(*view)} : view.error());
  }
  if (const auto request = request_of(command); request && request->what == "backup") {
    const auto file = backup_file(parts.configuration.data, request->name);
    if (!file) return report(parts.name, file.error());
    const auto done = parts.database.back_up_to(*file);
    return report(parts.name, done ? Result<std::string>{""} : done.error());
  }
  return report(parts.name, Error{errors::peer_unavailable, "the service does not run"});
}

int print_reference(Service::Parts& parts) {
  ProgramDescription program{.service = parts.name,
                             .sends_commands_to = parts.sagas->peers(),
                             .configuration = Configuration::keys(),
                             .metrics = parts.metrics.descriptions()};
  for (const auto& event : parts.published)
    program.publishes.push_back({event.type, RawJson{event.schema}});
  for (const auto& command : parts.commands.accepted())
    program.accepts.push_back({command.type, RawJson{command.schema}, RawJson{command.reply}});
  for (const Consumer& consumer : parts.consumers) program.reads.push_back(consumer.cursor_name());
  const auto read = parts.database->read_now(
      [&](SqlTransaction& transaction) { program.tables = transaction.all(all_tables); });
  return report(parts.name, read ? Result<std::string>{to_json(program)} : read.error());
}

}  // namespace freehold
