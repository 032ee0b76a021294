// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>

#include "freehold/base/result.h"
#include "freehold/database/database.h"
#include "freehold/database/migration.h"

namespace freehold {

// Brings a service's own tables to where this program wants them: runs the steps that the database
// does not have yet, each in a transaction of its own together with its row in freehold_migration,
// so that to die here leaves every step done or not begun. To be called at the start, before the
// first other write; waits on the calling thread.
//
// Fails with database_unavailable and a sentence that names the step, having run nothing, when
//   - the program's steps are not numbered 1, 2, 3 …;
//   - a step that was run has another text or name now: a change is a new step;
//   - a step is missing before one that was run;
//   - the database has had a contract step that this program does not know: it was made for a newer
//     one. Expand steps of a newer program do no harm.
// Fails likewise when a step itself does; the steps before it stay.
Result<> migrate(Database& database, std::span<const Migration> migrations);

}  // namespace freehold
