// SPDX-License-Identifier: Apache-2.0
//
// Mistakes, each of which must fail to compile with its sentence; see CMakeLists.txt.
#include "freehold/http/idempotent_call.h"
#include "freehold/http/routes.h"

namespace freehold::http {

struct Get {
  int id;
};
BOOST_DESCRIBE_STRUCT(Get, (), (id))

inline Task<Result<Get>> get(Get in, Call) {
  co_return in;
}

inline void declare(Routes& routes) {
  routes.get<"/things/{id}">(get).open();
#ifdef MISTAKE_path_parameter_unknown
  routes.get<"/things/{number}">(get).open();
#endif
#ifdef MISTAKE_not_a_path
  routes.get<"things/{id}">(get).open();
#endif
#ifdef MISTAKE_not_a_handler
  routes.get<"/other">([](Get) { return 7; }).open();
#endif
}

#ifdef MISTAKE_answer_without_commit
inline Task<Result<Committed<Get>>> make(Get in, IdempotentCall) {
  co_return Committed<Get>{Reply<Get>{.body = in}};
}
#endif

}  // namespace freehold::http
