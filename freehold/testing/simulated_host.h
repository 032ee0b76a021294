// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/database/migration.h"
#include "freehold/database/sqlite/sqlite_database.h"
#include "freehold/events/commands.h"
#include "freehold/events/consumer.h"
#include "freehold/events/consumer_loop.h"
#include "freehold/events/event_log.h"
#include "freehold/events/http_feed.h"
#include "freehold/http/peer.h"
#include "freehold/http/remembered_answers.h"
#include "freehold/http/routes.h"
#include "freehold/http/transport.h"
#include "freehold/saga/sagas.h"
#include "freehold/testing/simulated_network.h"

namespace freehold {

class SimulatedHost;

// A service as a simulation runs it: what its main.cc says, without process, port and thread.
struct SimulatedProgram {
  std::string name;  // of the service, its host and its address
  std::span<const Migration> migrations;
  std::vector<std::string> callers;  // whose logs hold commands for it
  std::uint32_t log_partitions = 1;
  ConsumerOptions consumer_options;
  SagaOptions saga_options;
  // Declares routes, commands, sagas and consumers; runs at each start.
  std::function<void(SimulatedHost&)> parts;
};

// An io_context that can be emptied before what its coroutines point to goes.
class HostContext : public boost::asio::io_context {
 public:
  // Destroys every handler and coroutine that waits in it. Nothing of it runs any more.
  void abandon() { shutdown(); }
};

// One life of a service, from its start to its death. Everything in it is the toolkit's own; only
// clock, random, network and storage are simulated.
//
// Its end is a crash: coroutines are destroyed where they wait, queued transactions are not run,
// nothing is stopped in an orderly way. The storage must have cut it off before.
class SimulatedHost {
 public:
  // The program outlives it.
  SimulatedHost(const SimulatedProgram& program, SimulatedNetwork& network);
  SimulatedHost(const SimulatedHost&) = delete;
  SimulatedHost& operator=(const SimulatedHost&) = delete;
  ~SimulatedHost();

  // Opens the database on the simulated storage, starts all parts and attaches to the network.
  // `on_commit_unknown`: the process must end. Fails when the storage does; it has to end then.
  Result<> start(std::function<void()> on_commit_unknown);

  // For the program's parts, while it starts.
  SqliteDatabase& database() { return *database_; }
  http::Routes& routes() { return *routes_; }
  Commands& commands() { return commands_; }
  Sagas& sagas() { return *sagas_; }
  http::Peer& peer(std::string_view name);
  void consume(Consumer consumer) { consumers_.push_back(std::move(consumer)); }
  // What the parts point to: kept for this life.
  void keep(std::shared_ptr<void> object) { kept_.push_back(std::move(object)); }

  HostContext& context() { return context_; }
  // The reports of consumers that stopped themselves; empty when none did.
  std::vector<std::string> reports() const;

 private:
  Result<> open_database(std::function<void()> on_commit_unknown);
  void make_parts();
  Result<> start_parts();

  const SimulatedProgram& program_;
  SimulatedNetwork& network_;
  HostContext context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;

  std::unique_ptr<http::Authenticator> authenticator_;
  std::unique_ptr<SqliteDatabase> database_;
  std::unique_ptr<http::Transport> transport_;
  std::map<std::string, std::unique_ptr<http::Peer>, std::less<>> peers_;
  std::vector<std::unique_ptr<HttpFeed>> feeds_;
  std::unique_ptr<http::RememberedAnswers> answers_;
  std::unique_ptr<EventLog> log_;
  std::unique_ptr<http::Routes> routes_;
  Commands commands_;
  std::unique_ptr<Sagas> sagas_;
  std::vector<std::shared_ptr<void>> kept_;
  std::vector<Consumer> consumers_;
  std::vector<std::unique_ptr<ConsumerLoop>> loops_;
};

}  // namespace freehold
