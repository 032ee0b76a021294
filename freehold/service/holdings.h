// SPDX-License-Identifier: Apache-2.0
//
// What a service holds in the name of another one, told to that one:
//
//   GET /holdings/{what}?after=<key>
//        200 {"holdings":[{"key","state"}…],"read":[id…]}; the last page has no holdings
//        403 forbidden: not one of its callers, or there are several
//
// `read` is how far this service has read its caller's log, by partition, in the snapshot in which
// the holdings were read: who compares them with its own knows what they can show already.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/describe.hpp>

#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/http/routes.h"

namespace freehold {

// What one side says of one key of the business, in a word of its own: a reservation is "sold".
struct Holding {
  std::string key;
  std::string state;
};
BOOST_DESCRIBE_STRUCT(Holding, (), (key, state))

// The holdings behind the key `after` ("": from the first), in the order of their keys as texts; at
// most so many, none if there are none. Runs in a transaction that reads. Refused: malformed, when
// `after`, which the other service brings, is no key.
using Holdings = std::function<Result<std::vector<Holding>>(SqlTransaction&, std::string_view after,
                                                            std::size_t most)>;

inline constexpr std::size_t holdings_in_page = 500;

struct HoldingsQuery {
  std::string what;
  std::optional<std::string> after;
};
BOOST_DESCRIBE_STRUCT(HoldingsQuery, (), (what, after))

struct HoldingsPage {
  std::vector<Holding> holdings;
  std::vector<std::string> read;  // ids of events in the caller's log, by partition
};
BOOST_DESCRIBE_STRUCT(HoldingsPage, (), (holdings, read))

// Answers the address above. Whose a holding is, is not kept: with several callers each would take
// those of the others for lost ones, so none is told any.
class HeldForCallers {
 public:
  // The database outlives it. `callers`: whose commands this service takes.
  HeldForCallers(Database& database, std::vector<std::string> callers)
      : database_(database), callers_(std::move(callers)) {}

  void add(std::string what, Holdings holdings);  // before routes()
  void routes(http::Routes& routes);

 private:
  Task<Result<HoldingsPage>> show(HoldingsQuery query, http::Call call);

  Database& database_;
  const std::vector<std::string> callers_;
  std::map<std::string, Holdings, std::less<>> held_;  // by what they are
};

}  // namespace freehold
