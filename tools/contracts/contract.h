// SPDX-License-Identifier: Apache-2.0
//
// What a service has promised to others: the events that it publishes and the commands that it
// accepts, with their JSON Schemas. Its committed form is shop/<service>/contract/published.json,
// one event or command a line:
//
//   {
//     "publishes": [
//       {"type":"product.state.v1","schema":{…}}
//     ],
//     "accepts": [
//       {"type":"product.sell_stock.v1","schema":{…},"reply":{…}}
//     ]
//   }
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/schema/described.h"
#include "freehold/schema/json.h"

namespace contracts {

struct PublishedEvent {
  std::string type;
  freehold::RawJson schema;
};
BOOST_DESCRIBE_STRUCT(PublishedEvent, (), (type, schema))

struct AcceptedCommand {
  std::string type;
  freehold::RawJson schema;
  freehold::RawJson reply;
};
BOOST_DESCRIBE_STRUCT(AcceptedCommand, (), (type, schema, reply))

struct Contract {
  std::vector<PublishedEvent> publishes;
  std::vector<AcceptedCommand> accepts;
};
BOOST_DESCRIBE_STRUCT(Contract, (), (publishes, accepts))

// Reads the committed form, or what `<program> reference` prints. Refused: malformed.
freehold::Result<Contract> read_contract(std::string_view json);

// The committed form.
std::string text_of(const Contract& contract);

// What others would miss if `after` took the place of `before`, one sentence each; empty: it only
// adds.
std::vector<std::string> broken_promises(const Contract& before, const Contract& after);

}  // namespace contracts
