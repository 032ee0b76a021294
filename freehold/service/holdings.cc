// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/holdings.h"

#include <cstdint>
#include <utility>

#include "freehold/base/errors.h"

namespace freehold {

void HeldForCallers::add(std::string what, Holdings holdings) {
  held_.emplace(std::move(what), std::move(holdings));
}

void HeldForCallers::routes(http::Routes& routes) {
  if (held_.empty()) return;
  routes.get<"/holdings/{what}">(&HeldForCallers::show, *this)
      .internal()
      .described_as("What this service holds in the caller's name, in pages.");
}

Task<Result<HoldingsPage>> HeldForCallers::show(HoldingsQuery query, http::Call call) {
  const std::string caller{call.caller_service()};
  if (callers_.size() != 1 || callers_.front() != caller) co_return errors::forbidden;
  const auto held = held_.find(query.what);
  if (held == held_.end()) co_return errors::not_found;
  co_return co_await database_.read([&](SqlTransaction& transaction) -> Result<HoldingsPage> {
    HoldingsPage page;
    FREEHOLD_TRY(page.holdings,
                 held->second(transaction, query.after.value_or(""), holdings_in_page));
    const std::string consumer = "commands@" + caller;
    for (std::uint32_t partition = 0;; ++partition) {
      const auto cursor = transaction.books().cursor(consumer, partition);
      if (!cursor) return page;
      page.read.push_back(cursor->at.text());
    }
  });
}

}  // namespace freehold
