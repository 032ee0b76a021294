// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/database.h"

#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace freehold {

// NOLINTNEXTLINE(performance-unnecessary-value-param): those that listen keep it
void Database::on_appended_elsewhere(std::function<void()> listener) {
  (void)listener;
}

void Database::submit_read(Read read) {
  const Result<> done = read_now(std::move(read.body));
  read.done(done, nullptr);
}

}  // namespace freehold

namespace freehold::internal {
namespace {

using Body = std::move_only_function<Result<>(SqlTransaction&)>;

// Goes on where the coroutine ran.
template <class Handler>
void submit_for(Handler handler, Database& database, Submission how,  // NOLINT: it is moved
                Body body) {
  auto executor = boost::asio::get_associated_executor(handler);
  auto done = [handler = std::move(handler)](Result<> outcome) mutable {
    std::move(handler)(std::move(outcome));
  };
  database.submit(how.urgency, Job{.body = std::move(body),
                                   .done = std::move(done),
                                   .executor = std::move(executor),
                                   .names_locks = std::move(how.names_locks),
                                   .is_alone = how.is_alone,
                                   .hold = std::move(how.hold)});
}

}  // namespace

Task<Result<>> read_elsewhere(Database* database,
                              std::move_only_function<void(SqlTransaction&)> body) {
  const auto initiate = [database](auto handler, auto submitted) {
    const auto executor = boost::asio::get_associated_executor(handler);
    auto done = [handler = std::move(handler), executor](Result<> outcome,
                                                         std::exception_ptr thrown) mutable {
      boost::asio::dispatch(executor, [handler = std::move(handler), outcome = std::move(outcome),
                                       thrown = std::move(thrown)]() mutable {
        std::move(handler)(std::move(thrown), std::move(outcome));
      });
    };
    database->submit_read({std::move(submitted), std::move(done)});
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&,
                                                 void(std::exception_ptr, Result<>)>(
      initiate, boost::asio::use_awaitable, std::move(body));
}

Task<Result<>> run_in_lane(Database* database, Submission how, Body body) {
  const auto initiate = [database](auto handler, Submission as, Body submitted) {
    submit_for(std::move(handler), *database, std::move(as), std::move(submitted));
  };
  co_return co_await boost::asio::async_initiate<const boost::asio::use_awaitable_t<>&,
                                                 void(Result<>)>(
      initiate, boost::asio::use_awaitable, std::move(how), std::move(body));
}

}  // namespace freehold::internal
