// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/simulated_host.h"

#include <stdexcept>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/database/migrations.h"
#include "freehold/testing/simulated_storage.h"

namespace freehold {
namespace {

// Believes what it is told: a token is the name of a user, or of a service.
class Trusting final : public http::Authenticator {
 public:
  Task<Result<http::Caller>> user(std::string bearer) override {
    if (bearer.empty()) co_return errors::unauthenticated;
    co_return http::Caller{.subject = std::move(bearer), .roles = {"customer"}};
  }
  Result<std::string> service(std::string_view token) override {
    if (token.empty()) return errors::unauthenticated;
    return std::string{token};
  }
};

}  // namespace

SimulatedHost::SimulatedHost(const SimulatedProgram& program, SimulatedNetwork& network)
    : program_(program),
      network_(network),
      work_(context_.get_executor()),
      authenticator_(std::make_unique<Trusting>()),
      commands_(program.name) {}

// First the coroutines, then the jobs that the lane still holds: each fails before its body runs,
// as the storage is cut off, and leaves a coroutine to destroy. Only then what they point to.
SimulatedHost::~SimulatedHost() {
  network_.detach(program_.name);
  context_.abandon();
  if (database_) database_->stop();
  context_.abandon();
}

Result<> SimulatedHost::start(std::function<void()> on_commit_unknown) {
  try {
    FREEHOLD_TRY(open_database(std::move(on_commit_unknown)));
    make_parts();
    return start_parts();
  } catch (const std::runtime_error& failure) {
    return Error{errors::database_unavailable, failure.what()};
  }
}

Result<> SimulatedHost::open_database(std::function<void()> on_commit_unknown) {
  FREEHOLD_TRY(database_,
               SqliteDatabase::open({.directory = program_.name,
                                     .executor = context_.get_executor(),
                                     .service = program_.name,
                                     .log_partitions = program_.log_partitions,
                                     .storage = SimulatedStorage::name,
                                     .start_lane = false,
                                     .page_cache_kib = 1024,
                                     .readers_page_cache_kib = 1024,
                                     .checkpoint_pages = 50,
                                     .on_commit_unknown = std::move(on_commit_unknown)}));
  return migrate(*database_, program_.migrations);
}

void SimulatedHost::make_parts() {
  transport_ = network_.transport_of(program_.name);
  answers_ = std::make_unique<http::RememberedAnswers>(*database_);
  log_ = std::make_unique<EventLog>(*database_, program_.name, context_.get_executor());
  routes_ = std::make_unique<http::Routes>(authenticator_.get());
  routes_->remember_answers_in(*answers_);
  log_->routes(*routes_);
  sagas_ = std::make_unique<Sagas>(*database_, context_.get_executor(), program_.saga_options);
  program_.parts(*this);
  for (const std::string& peer : sagas_->peers()) consume(sagas_->replies_from(peer));
  for (const std::string& caller : program_.callers) consume(commands_.from(caller));
}

Result<> SimulatedHost::start_parts() {
  FREEHOLD_TRY(answers_->load());
  FREEHOLD_TRY(sagas_->start());
  FREEHOLD_TRY(routes_->check());
  network_.attach(program_.name, *routes_, context_.get_executor());
  log_->start();
  for (Consumer& consumer : std::exchange(consumers_, {})) {
    feeds_.push_back(std::make_unique<HttpFeed>(peer(consumer.source())));
    loops_.push_back(std::make_unique<ConsumerLoop>(*database_, *feeds_.back(), std::move(consumer),
                                                    context_.get_executor(),
                                                    program_.consumer_options));
    loops_.back()->start();
  }
  return {};
}

http::Peer& SimulatedHost::peer(std::string_view name) {
  auto& made = peers_[std::string{name}];
  if (!made) {
    http::PeerOptions options;
    options.identity = [own = program_.name] { return own; };
    made = std::make_unique<http::Peer>(std::string{name}, std::vector{std::string{name}},
                                        std::move(options), *transport_);
  }
  return *made;
}

std::vector<std::string> SimulatedHost::reports() const {
  std::vector<std::string> reports;
  for (const auto& loop : loops_) {
    std::string report = loop->status().report;
    if (!report.empty()) reports.push_back(std::move(report));
  }
  return reports;
}

}  // namespace freehold
