// SPDX-License-Identifier: Apache-2.0
//
// What a Service is made of. Private to this room.
#pragma once

#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/describe.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/clock.h"
#include "freehold/events/consumer_loop.h"
#include "freehold/events/event_log.h"
#include "freehold/events/http_feed.h"
#include "freehold/http/remembered_answers.h"
#include "freehold/http/server.h"
#include "freehold/http/transport.h"
#include "freehold/identity/service_identity.h"
#include "freehold/replica/replicas.h"
#include "freehold/service/authentication.h"
#include "freehold/service/confinement.h"
#include "freehold/service/io_threads.h"
#include "freehold/service/metrics.h"
#include "freehold/service/operator_routes.h"
#include "freehold/service/own_database.h"
#include "freehold/service/service.h"

namespace freehold {

struct Alive {
  std::string status;
};
BOOST_DESCRIBE_STRUCT(Alive, (), (status))

struct Ready {
  std::string status;
  std::vector<std::string> not_confined;  // what this kernel cannot hold
};
BOOST_DESCRIBE_STRUCT(Ready, (), (status, not_confined))

struct Service::Parts {
  explicit Parts(std::string service) : name(std::move(service)), commands(name) {}

  // A declared neighbour with its log.
  struct Neighbour {
    std::unique_ptr<http::Peer> peer;    // for calls
    std::unique_ptr<http::Peer> source;  // of its log
    std::unique_ptr<HttpFeed> feed;
  };
  Neighbour& neighbour(std::string_view peer);
  std::unique_ptr<http::Peer> make_peer(std::string_view peer);

  void confine_process();
  void open_identity();
  void delete_scratch();
  [[noreturn]] void refuse(std::string_view why);  // with exit code 1, and nothing left behind
  // Opens the database and brings its schema up to date.
  void open_database(std::span<const Migration> migrations);
  void open_embedded(const std::filesystem::path& directory);
  void open_on_server(std::span<const Migration> migrations);
  bool is_on_server() const { return !configuration.database_url.empty(); }
  PostgresOptions postgres(const std::string& url);
  Result<std::shared_ptr<Database>> open_schema();
  void add_own_routes();
  void add_metrics();
  void add_database_metrics();
  void add_work_metrics();
  Result<> start();
  Task<> stop();
  void give_up_at(Deadline deadline);
  Task<Result<Alive>> livez(http::None, http::Call call);
  Task<Result<Ready>> readyz(http::None, http::Call call);
  Task<Result<http::Response>> show_metrics(http::None, http::Call call);
  Task<Result<http::Response>> metrics_text() const;
  Result<OperatorView> view() const;
  Task<Result<OperatorView>> view_now() const;
  Task<Result<std::string>> act(OperatorRequest request);
  Task<Result<>> tend(OperatorRequest request);
  Task<Result<std::string>> reconcile(std::string peer, bool apply);
  ConsumerLoop* loop(std::string_view cursor_name);
  ConsumerLoop* loop_of_replica(std::string_view table);
  Task<> rebuild(ConsumerLoop* consumer);
  Task<> erase_for_good();
  Task<bool> checkpoints_now();
  Task<> checkpoint_states();
  Task<> refresh_issuer_keys();
  Task<> forget_old_answers();
  int serve();

  const std::string name;
  Configuration configuration;
  boost::asio::io_context io{1};  // of the first I/O thread: consumers, sagas, timers
  boost::asio::basic_waitable_timer<SteadyClock> patience{io};
  Confinement confinement;
  std::mutex identity_mutex;  // guards `identity`
  std::optional<identity::ServiceIdentity> identity;
  std::unique_ptr<CallerAuthentication> authentication;
  std::unique_ptr<http::Transport> transport;
  std::map<std::string, Neighbour, std::less<>> neighbours;
  std::unique_ptr<http::Peer> issuer;  // of access tokens, asked for its keys
  OwnDatabase database;
  std::string instance = "1";  // who this is among those on a shared database; drawn at each start
  std::shared_ptr<Database> schema;  // while it is made, on a server: as the migrator
  std::unique_ptr<EventLog> event_log;
  std::unique_ptr<http::RememberedAnswers> answers;
  std::unique_ptr<http::Routes> routes;
  std::unique_ptr<OperatorRoutes> operator_routes;
  std::unique_ptr<HeldForCallers> held;
  std::vector<Reconciliation> reconciliations;
  std::unique_ptr<Sagas> sagas;
  std::unique_ptr<Replicas> replicas;
  std::unique_ptr<http::Server> server;
  Commands commands;
  std::vector<Consumer> consumers;
  std::vector<std::unique_ptr<ConsumerLoop>> loops;
  std::vector<PublishedEvent> published;
  std::map<std::string, OwnCommand, std::less<>> own_commands;
  std::span<const Migration> migrations;
  Metrics metrics;
  // Made by start(): no thread may be older than the walls.
  std::unique_ptr<IoThreads> more_io;
  // Work that blocks, off the I/O threads.
  std::unique_ptr<boost::asio::thread_pool> blocking;
  boost::asio::basic_waitable_timer<SteadyClock> erasure{io};
  boost::asio::basic_waitable_timer<SteadyClock> checkpoint{io};
  boost::asio::basic_waitable_timer<SteadyClock> key_refresh{io};
  boost::asio::basic_waitable_timer<SteadyClock> forgetting{io};
  std::filesystem::path scratch;  // of a command that works on a copy; deleted at the end
  bool is_asked_to_stop = false;
  bool is_stopped = false;
};

// Prints one line to standard error and ends the program.
[[noreturn]] void refuse_to_start(std::string_view service, std::string_view why, int code);

}  // namespace freehold
