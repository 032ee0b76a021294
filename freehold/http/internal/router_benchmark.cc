// SPDX-License-Identifier: Apache-2.0
//
// How long it takes to find the route of a path, among as many as a service has.
#include <benchmark/benchmark.h>

#include "freehold/http/internal/router.h"
#include "freehold/http/routes.h"

namespace freehold::http {
namespace {

struct Named {
  std::string id;
};
BOOST_DESCRIBE_STRUCT(Named, (), (id))

Task<Result<>> of_all(None, Call) {
  co_return Result<>{};
}

Task<Result<>> of_one(Named, Call) {
  co_return Result<>{};
}

void declare(Routes& routes) {
  routes.get<"/livez">(of_all);
  routes.get<"/readyz">(of_all);
  routes.get<"/metrics">(of_all);
  routes.get<"/openapi.json">(of_all);
  routes.get<"/feed">(of_all);
  routes.get<"/feed/states">(of_all);
  routes.get<"/feed/{id}">(of_one);
  routes.get<"/api/orders">(of_all);
  routes.post<"/api/orders">(of_all);
  routes.get<"/api/orders/{id}">(of_one);
  routes.get<"/api/orders/{id}/events">(of_one);
  routes.post<"/api/orders/{id}/cancellation">(of_one);
}

void find(benchmark::State& state, Method method, std::string_view path) {
  Routes routes;
  declare(routes);
  internal::Router router;
  for (const auto& route : routes.all()) router.add(route->method(), route->path(), *route);
  std::vector<std::string_view> values;
  for (auto _ : state) {
    values.clear();
    benchmark::DoNotOptimize(router.find(method, path, values));
  }
}
BENCHMARK_CAPTURE(find, fixed_path, Method::post, "/api/orders");
BENCHMARK_CAPTURE(find, path_with_parameter, Method::get,
                  "/api/orders/01a20511-cdd6-7883-9bb0-e578ca8c7b0b/events");
BENCHMARK_CAPTURE(find, no_such_path, Method::get, "/api/orders/1/2/3");

}  // namespace
}  // namespace freehold::http

BENCHMARK_MAIN();
