// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/events/consumer.h"
#include "freehold/events/feed.h"
#include "freehold/replica/replica.h"

namespace freehold {

// Keeps a service's replicas: makes their tables, fills and rebuilds them. For the I/O thread.
//
// A rebuild notes the heads of the owner's log, pages the owner's states into a second table, and
// puts that one in place of the first in the transaction that sets the cursor to the noted heads.
// Readers have the first table until then. No subject steps back: each state in the second table is
// at least as new as the noted heads, these are at least as new as the cursor was, and of what the
// log brings again the newer version wins. A crash in a rebuild leaves the first table and cursor
// as they were, and a second table that the next rebuild drops. Each transaction of a rebuild takes
// its lease: an instance that was paused and replaced fills nobody's second table.
class Replicas {
 public:
  // The same database, by a role that may make and drop tables, for as long as it is held; where
  // that is another role than the service's own. Fails where there is none.
  using SchemaAccess = std::function<Result<std::shared_ptr<Database>>()>;

  // `owner`: the instance of the service, as in ConsumerOptions. Of several on a shared database
  // one at a time rebuilds a replica.
  explicit Replicas(Database& database);
  Replicas(Database& database, SchemaAccess schema, std::string owner = "1");
  Replicas(const Replicas&) = delete;
  Replicas& operator=(const Replicas&) = delete;
  ~Replicas();

  // Makes the replica's table if it is missing, or of another shape than this program's (then it is
  // empty and wants a rebuild, over restarts, until there was one), and returns the consumer that
  // fills it from `source`. Before the loops start. Fails as the database and the access to its
  // schema do.
  Result<Consumer> copy(ReplicaProgram program, Feed& source);

  // Of each replica, by table, whether it differs from its owner: at two checkpoints of the owner
  // in a row (state_checkpoint.h). One alone says nothing: while a replica is filled it is ahead of
  // its cursor. A difference is recorded, and stays until a rebuild or an equal checkpoint.
  std::map<std::string, bool> drift() const;

  // Of each replica, by table, how many state events it has passed over since the start, for its
  // row was not older. Where it has just been filled or rebuilt the log repeats what the states
  // told; at any other time its owner has stepped back.
  std::map<std::string, std::uint64_t> passed_over() const;

  // Whether the table of this consumer was made anew, so that its cursor does not speak of it.
  bool wants_rebuild(std::string_view consumer) const;

 private:
  struct Copy;
  Result<> make_table(Copy& copy);
  Result<> hold(SqlTransaction& transaction, const Copy& copy) const;
  Task<Result<bool>> begin_rebuild(Copy* copy, Database* schema);
  static void compare(Copy* copy, SqlTransaction& transaction, const Delivery& delivery);
  Task<Result<>> rebuild(Copy* copy, Feed* source);
  Task<Result<>> fill(Copy* copy, Feed* source, std::string log_id);

  Database& database_;
  const SchemaAccess schema_;
  const std::string owner_;
  std::vector<std::unique_ptr<Copy>> copies_;
};

}  // namespace freehold
