// SPDX-License-Identifier: Apache-2.0
//
// freehold::errors: what the toolkit itself answers with. See errors.def.
#pragma once

#include "freehold/base/error.h"

namespace freehold {

#define FREEHOLD_ERRORS "freehold/base/errors.def"
#define FREEHOLD_ERRORS_SERVICE "freehold"
#include "freehold/base/define_errors.h"

}  // namespace freehold
