// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/operator_routes.h"

#include <utility>

#include "freehold/base/errors.h"

namespace freehold {

void OperatorRoutes::routes(http::Routes& routes) {
  routes.get<"/operator">(&OperatorRoutes::view, *this).internal();
  routes.post<"/operator">(&OperatorRoutes::act, *this).internal();
}

Task<Result<OperatorView>> OperatorRoutes::view(http::None, http::Call call) {
  if (call.caller_service() != service_) co_return errors::forbidden;
  co_return co_await view_();
}

Task<Result<http::Response>> OperatorRoutes::act(OperatorRequest request, http::Call call) {
  if (call.caller_service() != service_) co_return errors::forbidden;
  FREEHOLD_CO_TRY(auto said, co_await act_(std::move(request)));
  http::Response response;
  response.headers.add("Content-Type", "text/plain; charset=utf-8");
  response.body = std::move(said);
  co_return response;
}

}  // namespace freehold
