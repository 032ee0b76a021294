// SPDX-License-Identifier: Apache-2.0
//
// Typed routes. One declaration gives the address, the input, the access rule and the API's
// description:
//
//   routes.get<"/api/products/{id}">(&Browsing::get, browsing).open();
//   Task<Result<Reply<ProductView>>> Browsing::get(GetProduct request, Call call);
//
// The handler is a member function with its object, a free function, or a lambda without captures.
// Its input is a described struct: members named in the path come from there, the others from the
// query (GET, DELETE) or the JSON body, strictly: an unknown or malformed field is 400 and named,
// and so is a missing one that is not optional. It answers with a described struct (200), Reply<T>,
// nothing (204), an EventStream or a raw Response; an Error becomes a problem (problem.h).
//
// Routes are declared before the server starts, by one thread; afterwards they do not change and
// are read by all I/O threads.
#pragma once

#include <functional>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/http/call.h"
#include "freehold/http/internal/route_shape.h"
#include "freehold/http/internal/router.h"
#include "freehold/http/message.h"
#include "freehold/http/reply.h"

namespace freehold::http {

enum class Access { undeclared, open, signed_in, role, internal };

// One declared route: who may call it, and what stands about it in the API's description.
class Route {
 public:
  // The access rule; exactly one is needed. requires_role may be repeated: any of them will do.
  Route& open();                                // anybody, and nobody is authenticated
  Route& signed_in();                           // any user
  Route& requires_role(std::string_view role);  // users with this role
  Route& internal();                            // services, by their identity token

  // A sentence for OpenAPI.
  Route& described_as(std::string_view summary);

  // The statuses of its success, where it is not always 200 (204 without a body), for OpenAPI.
  Route& answers(std::initializer_list<int> statuses);

  Method method() const { return method_; }
  std::string_view path() const { return path_; }
  Access access() const { return access_; }
  const std::vector<std::string>& roles() const { return roles_; }
  std::string_view summary() const { return summary_; }
  const std::vector<int>& statuses() const { return statuses_; }
  const internal::RouteShape& shape() const { return shape_; }

 private:
  friend class Routes;
  Route(Method method, std::string_view path, internal::RouteShape shape)
      : method_(method), path_(path), shape_(shape), statuses_{shape.status} {}
  void set_access(Access access);

  Method method_;
  std::string_view path_;
  internal::RouteShape shape_;
  std::function<Task<>(internal::Exchange&)> endpoint_;
  Access access_ = Access::undeclared;
  std::vector<std::string> roles_;
  std::string summary_;
  std::vector<int> statuses_;
};

// What was answered, for metrics and records.
struct Answered {
  const Route* route = nullptr;  // nullptr: none matched
  Method method = Method::get;
  int status = 0;
  std::chrono::nanoseconds took{};
  const Trace* trace = nullptr;
};

class Routes {
 public:
  // `authenticator` outlives the routes; without one only open() routes can be declared.
  explicit Routes(Authenticator* authenticator = nullptr);
  Routes(const Routes&) = delete;
  Routes& operator=(const Routes&) = delete;
  ~Routes();

  template <internal::PathText Path, class... Handler>
  Route& get(Handler&&... handler) {
    return add<Method::get, Path>(std::forward<Handler>(handler)...);
  }
  template <internal::PathText Path, class... Handler>
  Route& post(Handler&&... handler) {
    return add<Method::post, Path>(std::forward<Handler>(handler)...);
  }
  template <internal::PathText Path, class... Handler>
  Route& put(Handler&&... handler) {
    return add<Method::put, Path>(std::forward<Handler>(handler)...);
  }
  template <internal::PathText Path, class... Handler>
  Route& patch(Handler&&... handler) {
    return add<Method::patch, Path>(std::forward<Handler>(handler)...);
  }
  template <internal::PathText Path, class... Handler>
  Route& del(Handler&&... handler) {
    return add<Method::del, Path>(std::forward<Handler>(handler)...);
  }

  // Declares GET /openapi.json, open: the description of all routes, also of those declared later.
  void describe_at_openapi_json(std::string title, std::string version);

  // Where the answers of idempotent calls are kept; needed by routes that take an IdempotentCall.
  void remember_answers_in(RememberedAnswers& answers);

  // Who hears of every answer, on the thread of its connection, before it is sent. Set before the
  // start.
  void on_answered(std::function<void(const Answered&)> listener);

  // Whether all routes can be served. Refused: route_without_access, naming the first one; also an
  // idempotent one that is open, for a key belongs to a caller.
  Result<> check() const;

  // Answers one request: finds the route, lets the caller in, runs the handler. Every outcome is a
  // response; what a handler throws is a 500 and a record. `limit` bounds the call's deadline.
  // Request and response live in the caller until the task ends.
  Task<> answer(const Request* request, Response* response, Deadline limit) const;

  const std::vector<std::unique_ptr<Route>>& all() const { return routes_; }

 private:
  template <Method M, internal::PathText Path, class Function, class... Object>
  Route& add(Function function, Object&... object);
  Route& add(Method method, std::string_view path, internal::RouteShape shape,
             std::function<Task<>(internal::Exchange&)> endpoint);
  Task<> find_and_run(internal::Exchange* exchange) const;
  Task<Result<>> admit(internal::Exchange* exchange) const;

  Authenticator* authenticator_;
  RememberedAnswers* remembered_ = nullptr;
  std::vector<std::unique_ptr<Route>> routes_;
  internal::Router router_;
  std::function<void(const Answered&)> on_answered_;
};

template <Method M, internal::PathText Path, class Function, class... Object>
Route& Routes::add(Function function, Object&... object) {
  using Handler = internal::HandlerOf<Function>;
  static_assert(internal::is_handler<Handler>,
                "a handler is Task<Result<Out>>(In, Call): a member function with its object, a "
                "free function, or a lambda without captures");
  internal::check_path<Path, typename Handler::In>();
  return add(M, Path.text(), internal::describe_route<Path, Handler>(),
             internal::endpoint<Path, Handler>(std::move(function), object...));
}

}  // namespace freehold::http
