// SPDX-License-Identifier: Apache-2.0
//
// What a person can do to a running service, for its own program only: `order parked redrive …`
// calls these routes with the service's own identity, which nobody else has.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/http/routes.h"
#include "freehold/schema/described.h"

namespace freehold {

struct ParkedEvent {
  std::string consumer;
  std::string key;
  std::string event;  // its id in the source's log
  int attempts = 0;
  bool parked = false;
  std::string why;
};
BOOST_DESCRIBE_STRUCT(ParkedEvent, (), (consumer, key, event, attempts, parked, why))

struct ListedSaga {
  std::string id;
  std::string status;
  std::string why;
};
BOOST_DESCRIBE_STRUCT(ListedSaga, (), (id, status, why))

struct ListedConsumer {
  std::string name;
  std::string state;
  std::string report;
  std::string last_error;
  std::int64_t lag = 0;
  std::int64_t keys_aside = 0;
};
BOOST_DESCRIBE_STRUCT(ListedConsumer, (), (name, state, report, last_error, lag, keys_aside))

// What the operator sees of a service that runs.
struct OperatorView {
  std::vector<ListedConsumer> consumers;
  std::vector<ParkedEvent> set_aside;
  std::vector<ListedSaga> stopped_sagas;  // parked and diverged
};
BOOST_DESCRIBE_STRUCT(OperatorView, (), (consumers, set_aside, stopped_sagas))

// One thing to do: `what` is redrive, rejoin, rebuild, retry, reconcile or backup; `name` is a
// consumer, a replica's table, a saga, a peer or a file; `key` is that of redrive, or the `apply`
// of reconcile.
struct OperatorRequest {
  std::string what;
  std::string name;
  std::optional<std::string> key;
};
BOOST_DESCRIBE_STRUCT(OperatorRequest, (), (what, name, key))

class OperatorRoutes {
 public:
  using View = std::function<Task<Result<OperatorView>>()>;
  // What it has to say when it is done, for a person.
  using Act = std::function<Task<Result<std::string>>(OperatorRequest)>;

  OperatorRoutes(std::string service, View view, Act act)
      : service_(std::move(service)), view_(std::move(view)), act_(std::move(act)) {}
  void routes(http::Routes& routes);

 private:
  Task<Result<OperatorView>> view(http::None, http::Call call);
  Task<Result<http::Response>> act(OperatorRequest request, http::Call call);

  std::string service_;
  View view_;
  Act act_;
};

}  // namespace freehold
