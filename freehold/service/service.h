// SPDX-License-Identifier: Apache-2.0
//
// The host: turns a parts list into a process that owns its database.
//
//   int main(int argc, char** argv) {
//     freehold::Service service{"product", argc, argv};
//     auto& database = service.database(product::migrations());
//     product::Browsing browsing{database};
//     service.publishes<product::ProductState>();
//     browsing.routes(service.routes());
//     return service.run();
//   }
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "freehold/database/database.h"
#include "freehold/database/migration.h"
#include "freehold/events/commands.h"
#include "freehold/events/consumer.h"
#include "freehold/events/event.h"
#include "freehold/http/peer.h"
#include "freehold/http/routes.h"
#include "freehold/replica/held_replica.h"
#include "freehold/replica/replica.h"
#include "freehold/saga/saga.h"
#include "freehold/saga/sagas.h"
#include "freehold/schema/json_schema.h"
#include "freehold/service/configuration.h"
#include "freehold/service/holdings.h"
#include "freehold/service/reconciliation.h"

namespace freehold {

// One service process. main() makes it first, lists its parts, and returns what run() returns; all
// of it on the main thread, which then is the first I/O thread: consumers and sagas live on it.
// Handlers run on `io-threads` threads.
//
// As a program it serves, or, with a command, tends to its own data (`order check`, `order rebuild
// product_replica`, `order parked`, `order parked redrive CONSUMER KEY`, `order rejoin CONSUMER`,
// `order backup FILE`, `order reference`); a command works on a running service through its own
// internal routes, and else on the database itself. It keeps its data in a directory of its own, or
// on a PostgreSQL server (`database-url`). Anything that is not set up correctly (a flag,
// a directory, a port in use, an edited migration) is one line on standard error and exit code 1.
class Service {
 public:
  // Reads flags, environment and file; on an error prints it and exits with code 2.
  Service(std::string name, int argc, char** argv);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Confines the process, opens the service's database and brings its schema up to date. Once,
  // before any other part.
  Database& database(std::span<const Migration> migrations);

  http::Routes& routes();
  // A declared neighbour; a name that the configuration does not have ends the program with a line
  // that says so.
  http::Peer& peer(std::string_view name);

  Commands& commands();             // what others may ask; read from the logs of the callers
  void consume(Consumer consumer);  // a reader of a peer's log
  template <Event... E>
  void publishes();  // what this service's log tells everybody
  template <class From, class Row>
  void copy(const Replica<From, Row>& replica) {  // a local copy of another service's data
    add_replica(replica.program());
  }
  template <class From, class Row>
  void copy(const HeldReplica<From, Row>& replica) {  // the same, with rows at hand in memory
    add_replica(replica.program());
  }
  template <class Context, class Input>
  void runs(const SagaDefinition<Context, Input>& saga);
  Sagas& sagas();  // for admission: sagas().admit()

  // What this service holds in the name of its caller, told to that one when it compares.
  void holds(std::string what, Holdings holdings);
  // What this service has at a peer: `order reconcile PEER [apply]` compares.
  void reconciles(Reconciliation reconciliation);

  // Believes access tokens that the service `issuer`, a peer, made for `audience`.
  void believes_tokens_of(std::string issuer, std::string audience);
  // This service is the issuer: `jwks` are the keys that it signs with now.
  void believes_own_tokens(std::string audience, std::string jwks);

  // An operator command of this service's own: `user make-admin EMAIL` runs it in the service that
  // runs. The toolkit's own names cannot be taken.
  using OwnCommand = std::function<Task<Result<>>(std::string argument)>;
  void on_command(std::string name, OwnCommand command);

  const Configuration& configuration() const;
  boost::asio::any_io_executor executor();  // of the first I/O thread

  // Serves until SIGTERM or SIGINT, then stops in order: nothing that was accepted is lost. Returns
  // the exit code.
  int run();

  struct Parts;  // private to this room

 private:
  struct PublishedEvent {
    std::string type;
    std::string schema;     // JSON Schema
    bool is_state = false;  // of a whole aggregate, so that others may keep replicas
  };
  void add_published(PublishedEvent event);
  void add_replica(ReplicaProgram replica);

  std::unique_ptr<Parts> parts_;
};

template <Event... E>
void Service::publishes() {
  (add_published({std::string{E::type}, json_schema<E>(), StateEvent<E>}), ...);
}

template <class Context, class Input>
void Service::runs(const SagaDefinition<Context, Input>& saga) {
  sagas().runs(saga);
}

}  // namespace freehold
