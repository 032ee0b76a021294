// SPDX-License-Identifier: Apache-2.0
#include "freehold/events/test_service.h"

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"

namespace freehold {

using namespace std::chrono_literals;

bool comes_true(const std::function<bool()>& condition) {
  const Deadline give_up = deadline_in(20s);
  while (!condition()) {
    if (SteadyClock::now() > give_up) return false;
    std::this_thread::yield();
  }
  return true;
}

ConsumerOptions quick_options() {
  ConsumerOptions options;
  options.poll_timeout = 300ms;
  options.backoff_first = 5ms;
  options.backoff_max = 50ms;
  options.retry_first = 10ms;
  options.retry_max = 40ms;
  options.attempts_max = 3;
  options.waypoint_every = 0ms;
  return options;
}

Task<Result<http::Caller>> TestService::TrustingAuthenticator::user(std::string) {
  co_return errors::unauthenticated;
}

Result<std::string> TestService::TrustingAuthenticator::service(std::string_view token) {
  if (token.empty()) return errors::unauthenticated;
  return std::string{token};
}

TestService::TestService(TestServiceOptions options)
    : options_(std::move(options)), work_(context_.get_executor()) {
  SqliteOptions database;
  database.directory = options_.directory;
  database.executor = context_.get_executor();
  database.service = options_.name;
  database.log_partitions = options_.partitions;
  auto opened = SqliteDatabase::open(database);
  FREEHOLD_ASSERT(opened, opened.error().text().c_str());
  database_ = *std::move(opened);
  log_ =
      std::make_unique<EventLog>(*database_, options_.name, context_.get_executor(), options_.log);
  routes_ = std::make_unique<http::Routes>(&authenticator_);
  log_->routes(*routes_);
  if (options_.more_routes) options_.more_routes(*routes_, *database_);
  http::ServerOptions server;
  server.port = options_.port;
  server_ = std::make_unique<http::Server>(
      *routes_, server, std::vector<boost::asio::any_io_executor>{context_.get_executor()});
  const Result<> started = server_->start();
  FREEHOLD_ASSERT(started, started.error().text().c_str());
  transport_ = http::network_transport(context_.get_executor());
  log_->start();
  thread_ = std::thread{[this] { context_.run(); }};
}

TestService::~TestService() {
  for (auto& loop : loops_) wait_for(loop->stop());
  wait_for(log_->stop());
  wait_for(server_->stop(deadline_in(1s)));
  database_->stop();
  work_.reset();
  context_.stop();
  thread_.join();
}

http::Peer& TestService::peer(std::string_view name, std::string address,
                              const std::string& identity) {
  http::PeerOptions options;
  options.identity = [identity] { return identity; };
  options.open_for = 20ms;
  return *peers_.emplace_back(std::make_unique<http::Peer>(
      std::string{name}, std::vector{std::move(address)}, std::move(options), *transport_));
}

Feed& TestService::feed_of(std::string_view name, std::string address) {
  return *feeds_.emplace_back(
      std::make_unique<HttpFeed>(peer(name, std::move(address), options_.name)));
}

ConsumerLoop& TestService::consume(Consumer consumer, std::string address,
                                   ConsumerOptions options) {
  Feed& feed = feed_of(consumer.source(), std::move(address));
  auto& loop = *loops_.emplace_back(std::make_unique<ConsumerLoop>(
      *database_, feed, std::move(consumer), context_.get_executor(), std::move(options)));
  wait_for([](ConsumerLoop* started) -> Task<> { co_return started->start(); }(&loop));
  return loop;
}

ConsumerLoop& TestService::consume(Consumer consumer, std::string address) {
  return consume(std::move(consumer), std::move(address), quick_options());
}

Result<> TestService::write(std::function<Result<>(SqlTransaction&)> body) {
  return database_->write_now([&](SqlTransaction& transaction) { return body(transaction); });
}

void TestService::script(std::string_view text) {
  const Result<> done = write([&](SqlTransaction& transaction) -> Result<> {
    transaction.run_script(text);
    return {};
  });
  FREEHOLD_ASSERT(done, done.error().text().c_str());
}

http::Response TestService::get(std::string target, const std::string& identity) {
  http::Request request;
  request.target = std::move(target);
  auto answered = wait_for(peer("self", address(), identity).exchange(request, deadline_in(10s)));
  FREEHOLD_ASSERT(answered, answered.error().text().c_str());
  return *std::move(answered);
}

}  // namespace freehold
