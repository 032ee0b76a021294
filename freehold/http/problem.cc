// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/problem.h"

#include <algorithm>
#include <array>
#include <optional>
#include <string>

#include "freehold/base/errors.h"
#include "freehold/schema/json.h"

namespace freehold::http {
namespace {

struct Problem {
  std::string type;
  std::string title;
  int status = 0;
  std::optional<std::string> detail;
  std::string code;
};
BOOST_DESCRIBE_STRUCT(Problem, (), (type, title, status, detail, code))

struct FinerStatus {
  const ErrorCode* code;
  int status;
};
constexpr std::array<FinerStatus, 5> finer_statuses{{{&errors::method_not_allowed, 405},
                                                     {&errors::too_slow, 408},
                                                     {&errors::log_truncated, 410},
                                                     {&errors::too_large, 413},
                                                     {&errors::unsupported_media_type, 415}}};

Kind kind_of(std::string_view service, std::string_view name, int status) {
  if (service == errors::internal.service)
    for (const ErrorCode* code : errors::all)
      if (code->name == name) return code->kind;
  for (Kind kind : every_kind)
    if (http_status(kind) == status) return kind;
  return status < 500 ? Kind::invalid : Kind::internal;
}

}  // namespace

int status_of(const Error& error) {
  for (const FinerStatus& finer : finer_statuses)
    if (error.is(*finer.code)) return finer.status;
  return http_status(error.kind());
}

void write_problem(Response& response, const Error& error) {
  response.clear();
  response.status = status_of(error);
  Problem problem;
  problem.code.append(error.service()).append("/").append(error.name());
  problem.type = "/problems/" + problem.code;
  problem.title = error.sentence();
  problem.status = response.status;
  if (!error.detail().empty()) problem.detail = error.detail();
  response.headers.add("Content-Type", "application/problem+json");
  if (response.status == 429 || response.status == 503)
    response.headers.add("Retry-After", std::to_string(std::max<std::chrono::seconds::rep>(
                                            error.retry_after().count(), 1)));
  if (response.status == 401) response.headers.add("WWW-Authenticate", "Bearer");
  write_json(response.body, problem);
}

Error read_problem(const Response& response) {
  const auto problem = read_json<Problem>(response.body, Strictness::tolerant);
  const std::size_t slash = problem ? problem->code.find('/') : std::string::npos;
  if (slash != std::string::npos) {
    const std::string service = problem->code.substr(0, slash);
    const std::string name = problem->code.substr(slash + 1);
    return {service, name, kind_of(service, name, response.status), problem->title,
            problem->detail.value_or("")};
  }
  const std::string detail = "status " + std::to_string(response.status) + " without a problem";
  if (response.status == 502 || response.status == 503) return {errors::peer_unavailable, detail};
  if (response.status == 504) return {errors::deadline_exceeded, detail};
  return {errors::unexpected_answer, detail};
}

}  // namespace freehold::http
