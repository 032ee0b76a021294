// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/database.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace freehold::internal {
namespace {

using Body = std::move_only_function<Result<>(SqlTransaction&)>;

// Goes on where the coroutine ran: at once when that is where outcomes are told.
template <class Handler>
void submit_for(Handler handler, Database& database, Urgency urgency, Body body) {
  const auto executor = boost::asio::get_associated_executor(handler);
  auto done = [handler = std::move(handler), executor](Result<> outcome) mutable {
    boost::asio::dispatch(executor,
                          [handler = std::move(handler), outcome = std::move(outcome)]() mutable {
                            std::move(handler)(std::move(outcome));
                          });
  };
  database.submit(urgency, Job{std::move(body), std::move(done)});
}

}  // namespace

Task<Result<>> run_in_lane(Database* database, Urgency urgency, Body body) {
  const auto initiate = [database, urgency](auto handler, Body submitted) {
    submit_for(std::move(handler), *database, urgency, std::move(submitted));
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&,
                                                 void(Result<>)>(
      initiate, boost::asio::use_awaitable, std::move(body));
}

}  // namespace freehold::internal
