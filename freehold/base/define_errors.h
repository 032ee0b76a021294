// SPDX-License-Identifier: Apache-2.0
//
// Turns a service's errors.def into objects: one constexpr ErrorCode a row, and all[]. Include it
// inside the service's namespace, at namespace scope, as often as there are services:
//
//   #define FREEHOLD_ERRORS "shop/product/contract/errors.def"
//   #define FREEHOLD_ERRORS_SERVICE "product"
//   #include "freehold/base/define_errors.h"
//
// Needs freehold/base/error.h included before the namespace is opened.
// NOLINTBEGIN(bugprone-macro-parentheses): a row gives a name

namespace errors {

#define FREEHOLD_ERROR(name, kind, sentence)                                  \
  inline constexpr ::freehold::ErrorCode name{FREEHOLD_ERRORS_SERVICE, #name, \
                                              ::freehold::Kind::kind, sentence};
#include FREEHOLD_ERRORS
#undef FREEHOLD_ERROR

inline constexpr const ::freehold::ErrorCode* all[] = {
#define FREEHOLD_ERROR(name, kind, sentence) &name,
#include FREEHOLD_ERRORS
#undef FREEHOLD_ERROR
};

}  // namespace errors

// NOLINTEND(bugprone-macro-parentheses)
#undef FREEHOLD_ERRORS
#undef FREEHOLD_ERRORS_SERVICE
