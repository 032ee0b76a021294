// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "freehold/http/routes.h"

namespace freehold::http {

// The OpenAPI 3.1 document of the routes, as JSON: paths, parameters, bodies, answers, access, and
// the problem form of all errors. Internal routes and /openapi.json itself are in it too, so that
// the document is the whole of what the process answers.
std::string openapi_of(const Routes& routes, std::string_view title, std::string_view version);

}  // namespace freehold::http
