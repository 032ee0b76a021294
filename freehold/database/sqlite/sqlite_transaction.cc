// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/sqlite/sqlite_transaction.h"

#include <sqlite3.h>

#include <string>

#include "freehold/base/errors.h"

namespace freehold {
namespace {

std::string numbered(std::string_view command, int depth) {
  return std::string{command} + std::to_string(depth);
}

// After these the transaction is as it was before COMMIT, or undone: nothing of it is on disk. Any
// other error comes from the writing itself, and the commit record may have got there.
bool leaves_nothing(int result) {
  const int kind = result & 0xff;
  return kind == SQLITE_FULL || kind == SQLITE_CONSTRAINT || kind == SQLITE_BUSY ||
         kind == SQLITE_NOMEM;
}

}  // namespace

void SqliteLaneTransaction::command(std::string_view text) {
  const int result = connection_.command(text);
  if (result != SQLITE_DONE) connection_.fail(result, text);
}

void SqliteLaneTransaction::begin(Savepoints savepoints) {
  command("begin immediate");
  connection_.enter_transaction(std::nullopt);
  savepoints_ = savepoints;
  depth_ = 0;
}

void SqliteLaneTransaction::commit() {
  connection_.leave_transaction();
  checkpointer_.commit_begins();
  const int result = connection_.command("commit");
  checkpointer_.commit_ended(result == SQLITE_DONE);
  if (result == SQLITE_DONE) return;
  if (leaves_nothing(result)) connection_.fail(result, "commit");
  throw DatabaseFault(errors::commit_unknown, sqlite3_errmsg(connection_.handle()));
}

void SqliteLaneTransaction::roll_back() {
  connection_.leave_transaction();
  if (connection_.in_transaction()) connection_.command("rollback");
  FREEHOLD_ASSERT(!connection_.in_transaction(), "a rolled back transaction is still open");
}

int SqliteLaneTransaction::open_savepoint() {
  ++depth_;
  if (savepoints_ == Savepoints::real) command(numbered("savepoint s", depth_));
  return depth_;
}

void SqliteLaneTransaction::release_savepoint(int depth) {
  depth_ = depth - 1;
  if (depth_ == 0) connection_.end_uses();  // the body is over
  if (savepoints_ == Savepoints::real) command(numbered("release s", depth));
}

void SqliteLaneTransaction::undo_to_savepoint(int depth) {
  if (savepoints_ == Savepoints::none) throw internal::MustRunAlone{};
  if (depth == 1) connection_.end_uses();
  command(numbered("rollback to s", depth));
  release_savepoint(depth);
}

}  // namespace freehold
