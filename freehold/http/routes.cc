// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/routes.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <optional>

#include "freehold/base/assert.h"
#include "freehold/base/errors.h"
#include "freehold/base/record.h"
#include "freehold/http/openapi.h"
#include "freehold/http/problem.h"

namespace freehold::http {
namespace {

std::optional<Trace> trace_of_caller(const Request& request) {
  const auto field = request.headers.find("traceparent");
  const auto trace = field ? Trace::from_text(*field) : Result<Trace>{errors::malformed};
  return trace ? std::optional{trace->child()} : std::nullopt;
}

// The sooner of `limit` and what the caller says it will wait.
Deadline deadline_of(const Request& request, Deadline limit) {
  const auto field = request.headers.find(timeout_header);
  std::uint32_t milliseconds = 0;
  if (!field ||
      std::from_chars(field->data(), field->data() + field->size(), milliseconds).ec != std::errc{})
    return limit;
  return std::min(limit, deadline_in(std::chrono::milliseconds{milliseconds}));
}

std::string_view bearer_of(const Request& request) {
  const auto field = request.headers.find("Authorization");
  if (!field || field->size() < 7 || !equal_without_case(field->substr(0, 7), "Bearer ")) return {};
  return field->substr(7);
}

// Whether If-None-Match names this entity tag; compared weakly (RFC 9110, 13.1.2).
bool is_known_to_caller(std::string_view field, std::string_view tag) {
  if (field == "*") return true;
  while (!field.empty()) {
    const std::size_t end = field.find(',');
    std::string_view each = field.substr(0, end);
    field = end == std::string_view::npos ? std::string_view{} : field.substr(end + 1);
    while (each.starts_with(' ')) each.remove_prefix(1);
    while (each.ends_with(' ')) each.remove_suffix(1);
    if (each.starts_with("W/")) each.remove_prefix(2);
    if (each == tag) return true;
  }
  return false;
}

void answer_not_modified(const Request& request, Response& response) {
  if (response.status != 200 || (request.method != Method::get && request.method != Method::head))
    return;
  const auto tag = response.headers.find("ETag");
  const auto field = request.headers.find("If-None-Match");
  if (!tag || !field || !is_known_to_caller(*field, *tag)) return;
  const std::string kept{*tag};
  response.clear();
  response.status = 304;
  response.headers.add("ETag", kept);
}

bool is_own_fault(const Error& error) {
  return error.kind() == Kind::internal || error.is(errors::database_unavailable) ||
         error.is(errors::disk_full) || error.is(errors::read_too_long);
}

}  // namespace

void internal::answer_error(Exchange& exchange, const Error& error) {
  if (!is_own_fault(error)) return write_problem(*exchange.response, error);
  record(Severity::error, "handler failed",
         {{"route", exchange.route ? exchange.route->path() : "none"},
          {"trace", exchange.trace.trace_text()},
          {"what", error.text()}});
  const bool for_services = exchange.route && exchange.route->access() == Access::internal;
  write_problem(*exchange.response, for_services ? error
                                                 : Error{std::string{error.service()},
                                                         std::string{error.name()},
                                                         error.kind(),
                                                         std::string{error.sentence()},
                                                         {}});
}

void Route::set_access(Access access) {
  FREEHOLD_ASSERT(access_ == Access::undeclared || (access == Access::role && access_ == access),
                  "a route has one access rule");
  access_ = access;
}

Route& Route::open() {
  set_access(Access::open);
  return *this;
}

Route& Route::signed_in() {
  set_access(Access::signed_in);
  return *this;
}

Route& Route::requires_role(std::string_view role) {
  set_access(Access::role);
  roles_.emplace_back(role);
  return *this;
}

Route& Route::internal() {
  set_access(Access::internal);
  return *this;
}

Route& Route::described_as(std::string_view summary) {
  summary_ = summary;
  return *this;
}

Route& Route::answers(std::initializer_list<int> statuses) {
  statuses_ = statuses;
  return *this;
}

Routes::Routes(Authenticator* authenticator) : authenticator_(authenticator) {}
Routes::~Routes() = default;

Route& Routes::add(Method method, std::string_view path, internal::RouteShape shape,
                   std::function<Task<>(internal::Exchange&)> endpoint) {
  Route& route = *routes_.emplace_back(new Route{method, path, shape});
  route.endpoint_ = std::move(endpoint);
  router_.add(method, path, route);
  return route;
}

namespace {

Task<> write_document(const Routes* routes, std::string title, std::string version,
                      Response* response) {
  response->headers.add("Content-Type", "application/json");
  response->body = openapi_of(*routes, title, version);
  co_return;
}

}  // namespace

void Routes::describe_at_openapi_json(std::string title, std::string version) {
  add(Method::get, "/openapi.json", internal::RouteShape{},
      [this, title = std::move(title), version = std::move(version)](internal::Exchange& exchange) {
        return write_document(this, title, version, exchange.response);
      })
      .open()
      .described_as("This description.");
}

void Routes::remember_answers_in(RememberedAnswers& answers) {
  remembered_ = &answers;
}

void Routes::on_answered(std::function<void(const Answered&)> listener) {
  on_answered_ = std::move(listener);
}

Result<> Routes::check() const {
  for (const auto& route : routes_) {
    const std::string name =
        std::string{name_of(route->method())} + ' ' + std::string{route->path()};
    if (route->access() == Access::undeclared) return Error{errors::route_without_access, name};
    if (route->access() != Access::open && !authenticator_)
      return Error{errors::route_without_access, name + " needs an authenticator"};
    if (!route->shape().is_idempotent) continue;
    FREEHOLD_ASSERT(remembered_, "idempotent routes need Routes::remember_answers_in");
    if (route->access() == Access::open)
      return Error{errors::route_without_access, name + " takes a key, which belongs to a caller"};
  }
  return {};
}

// The request loop's frame: nothing that a handler throws goes further.
Task<> Routes::answer(const Request* request, Response* response, Deadline limit) const {
  const SteadyClock::time_point began = SteadyClock::now();
  internal::Exchange exchange;
  exchange.request = request;
  exchange.response = response;
  exchange.remembered = remembered_;
  const auto trace = trace_of_caller(*request);
  exchange.is_traced = trace.has_value();
  exchange.trace = trace ? *trace : Trace::start();
  exchange.deadline = deadline_of(*request, limit);
  try {
    co_await find_and_run(&exchange);
  } catch (const std::exception& failure) {
    internal::answer_error(exchange, {errors::internal, failure.what()});
  } catch (...) {
    internal::answer_error(exchange, {errors::internal, "something that is no std::exception"});
  }
  if (!response->stream) answer_not_modified(*request, *response);
  if (response->stream && exchange.caller.until)
    response->stream.end_at(deadline_in(*exchange.caller.until - now()));
  if (exchange.waited_for > std::chrono::seconds{0} && response->status < 400)
    response->headers.add("Preference-Applied",
                          "wait=" + std::to_string(exchange.waited_for.count()));
  if (on_answered_)
    on_answered_({.route = exchange.route,
                  .method = request->method,
                  .status = response->status,
                  .took = SteadyClock::now() - began,
                  .trace = &exchange.trace});
}

Task<> Routes::find_and_run(internal::Exchange* exchange) const {
  const Request& request = *exchange->request;
  auto found = router_.find(request.method, request.path(), exchange->path_values);
  if (!found.route) {
    write_problem(*exchange->response,
                  found.allow.empty() ? errors::not_found : errors::method_not_allowed);
    if (!found.allow.empty()) exchange->response->headers.add("Allow", found.allow);
    co_return;
  }
  exchange->route = found.route;
  if (found.route->access() != Access::open) {
    const auto admitted = co_await admit(exchange);
    if (!admitted) co_return internal::answer_error(*exchange, admitted.error());
  }
  co_await found.route->endpoint_(*exchange);
}

Task<Result<>> Routes::admit(internal::Exchange* exchange) const {
  const Route& route = *exchange->route;
  if (!authenticator_) co_return errors::unauthenticated;
  if (route.access() == Access::internal) {
    const auto token = exchange->request->headers.find(service_identity_header);
    if (!token) co_return errors::unauthenticated;
    FREEHOLD_CO_TRY(exchange->caller_service, authenticator_->service(*token));
    co_return Result<>{};
  }
  const std::string_view bearer = bearer_of(*exchange->request);
  if (bearer.empty()) co_return errors::unauthenticated;
  FREEHOLD_CO_TRY(exchange->caller, co_await authenticator_->user(std::string{bearer}));
  if (route.access() == Access::signed_in) co_return Result<>{};
  for (const std::string& role : route.roles())
    if (exchange->caller.is(role)) co_return Result<>{};
  co_return errors::forbidden;
}

}  // namespace freehold::http
