// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_transaction.h"

#include <string>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/base/errors.h"
#include "freehold/base/random.h"
#include "freehold/database/internal/columns.h"
#include "freehold/database/postgres/postgres_foresight.h"
#include "freehold/database/postgres/postgres_groups.h"

namespace freehold {
namespace {

constexpr std::string_view insert_marker =
    "insert into freehold_commit (lane, batch, settled, at) values ($1, $2, 0, $3)";
// Of a batch whose COMMIT was answered no straggler can be left, so its marker may go; one that was
// settled stays, against a message that comes from the network an hour later.
constexpr std::string_view drop_markers =
    "delete from freehold_commit where lane = $1 and batch < $2 and settled = 0";
constexpr std::int64_t batches_between_drops = 64;
// Waits for a server process that is still at work on the same marker.
constexpr std::string_view settle_marker =
    "insert into freehold_commit as c (lane, batch, settled, at) values ($1, $2, 1, $3) "
    "on conflict (lane, batch) do update set at = excluded.at returning c.settled as settled";

std::string numbered(std::string_view command, int depth) {
  return std::string{command} + std::to_string(depth);
}

}  // namespace

PostgresLaneTransaction::PostgresLaneTransaction(PostgresLink& link, PostgresStatistics& statistics)
    : link_(link),
      statistics_(statistics),
      books_(*this),
      lane_(internal::column_of_bits(Random::current().bits())) {}

PostgresConnection& PostgresLaneTransaction::current() const {
  FREEHOLD_ASSERT(link_.last(), "a transaction is used before it has begun");
  return *link_.last();
}

SqlStatement& PostgresLaneTransaction::statement(std::string_view text) {
  return current().statement(text);
}

SqlStatement& PostgresLaneTransaction::statement_by_key(std::string_view text) {
  return current().statement(text, sql::Reach::key);
}

SqlStatement& PostgresLaneTransaction::prepared(const sql::Text& text) {
  return current().prepared(text);
}

void PostgresLaneTransaction::run_script(std::string_view script) {
  current().run_script(script);
}

void PostgresLaneTransaction::begin(Savepoints savepoints) {
  is_inside_ = false;
  has_freed_locks_ = false;
  PostgresConnection& connection = link_.connection();
  connection.begin_transaction(std::nullopt);
  is_inside_ = true;
  writes_at_begin_ = connection.writes();
  books_.forget_seal();
  savepoints_ = savepoints;
  depth_ = 0;
  const bool is_whole = savepoints == Savepoints::none;
  connection.foresight().begin(is_whole ? PostgresForesight::Use::whole
                                        : PostgresForesight::Use::exact);
  connection.groups().begin(is_whole);
}

void PostgresLaneTransaction::look_ahead(std::size_t bodies,
                                         const std::function<void(std::size_t)>& run) {
  if (savepoints_ != Savepoints::none) return;
  struct Undone {
    PostgresLaneTransaction& transaction;
    const Mark start = transaction.mark();
    const int depth = transaction.depth_;
    ~Undone() {
      transaction.undo_in_memory(start);
      transaction.depth_ = depth;
    }
  };
  current().foresight().look_ahead(bodies, [&](std::size_t body) {
    const Undone undone{*this};
    run(body);
  });
}

bool PostgresLaneTransaction::is_looked_at() const {
  return current().foresight().is_looking();
}

void PostgresLaneTransaction::end_bodies() {
  current().settle_assumptions();
}

// Nobody waits for them here: what follows does, behind them.
void PostgresLaneTransaction::lock(const RowLocks& locks) {
  for (const auto& [text, parameters] : locks.all()) {
    auto& lock = static_cast<PostgresStatement&>(statement(text));
    for (int number = 1; const RowLocks::Keys& keys : parameters) {
      const std::vector<std::optional<std::string_view>> bytes{keys.bytes.begin(),
                                                               keys.bytes.end()};
      switch (keys.type) {
        case ColumnType::text:
          lock.texts(number, bytes);
          break;
        case ColumnType::blob:
          lock.blobs(number, bytes);
          break;
        default:
          lock.integers(number,
                        std::vector<std::int64_t>{keys.integers.begin(), keys.integers.end()});
      }
      ++number;
    }
    lock.send_lock();
  }
}

bool PostgresLaneTransaction::is_open() const {
  return is_inside_ && !link_.is_lost() && current().is_usable();
}

void PostgresLaneTransaction::send_marker() {
  ++batch_;
  PostgresStatement& insert = static_cast<PostgresStatement&>(statement(insert_marker));
  insert.integer(1, lane_);
  insert.integer(2, batch_);
  insert.integer(3, now().time_since_epoch().count());
  insert.send();
  if (batch_ % batches_between_drops != 0) return;
  PostgresStatement& drop = static_cast<PostgresStatement&>(statement(drop_markers));
  drop.integer(1, lane_);
  drop.integer(2, batch_);
  drop.send();
}

// Everything since the last wait leaves here: the marker, then the seal, which locks the heads, and
// COMMIT right behind it. A connection lost before its answer leaves open whether they arrived; a
// transaction that has written nothing is as good as undone.
void PostgresLaneTransaction::commit() {
  PostgresConnection& connection = current();
  const bool has_written = books_.has_seal() || connection.writes() != writes_at_begin_;
  if (has_written) send_marker();
  books_.send_seal();
  connection.send_command("commit");
  try {
    connection.wait();
  } catch (const DatabaseFault& fault) {
    if (!has_written || !connection.is_lost()) throw;
    is_inside_ = false;
    ++statistics_.commits_unknown;
    throw DatabaseFault(errors::commit_unknown, fault.what());
  }
  is_inside_ = false;
  connection.end_transaction();
}

bool PostgresLaneTransaction::found_committed() {
  PostgresConnection& connection = link_.connection();
  PostgresStatement& settle = connection.statement(settle_marker);
  settle.integer(1, lane_);
  settle.integer(2, batch_);
  settle.integer(3, now().time_since_epoch().count());
  FREEHOLD_ASSERT(settle.next(), "a marker is inserted, or there");
  const bool is_committed = settle.integer(0) == 0;
  settle.reset();
  return is_committed;
}

// The marker is inserted again, alone, as one that was settled. If it is there already, the batch
// was committed, unless it was an earlier call of this that put it there. If not, the batch never
// will be: whatever of it still comes fails on this marker.
LaneTransaction::Settled PostgresLaneTransaction::settle() {
  constexpr int tries_max = 3;
  for (int tries = 0; tries < tries_max; ++tries) {
    try {
      if (!found_committed()) return Settled::undone;
      ++statistics_.commits_found;
      return Settled::committed;
    } catch (const DatabaseFault&) {
      if (!link_.last()) return Settled::unknown;  // no server in all this time
      // The connection broke again, or a server process holds the marker for longer than the wait
      // for a lock.
      link_.last()->roll_back();
      frees_locks();
    }
  }
  return Settled::unknown;
}

void PostgresLaneTransaction::roll_back() {
  if (!link_.last() || !std::exchange(is_inside_, false)) return;
  current().roll_back();
  has_freed_locks_ = frees_locks();
}

// Who has waited for a lock in vain looks for clients that were stopped in the middle of a message,
// or cut off there: what such a one holds would else be held until it goes on.
bool PostgresLaneTransaction::frees_locks() {
  if (link_.is_lost() || !current().waited_in_vain()) return false;
  try {
    return current().end_stopped_sessions() > 0;
  } catch (const DatabaseFault&) {
    current().roll_back();
    return false;
  }
}

// What fails behind a savepoint was sent behind it: an earlier failure would lead back to a
// savepoint that was never set, or to another one of its name.
int PostgresLaneTransaction::open_savepoint() {
  ++depth_;
  if (savepoints_ == Savepoints::none) return depth_;
  current().wait_for_changes();
  current().send_command(numbered("savepoint s", depth_));
  return depth_;
}

// An attempt ends with what its changes came to. A body need not: behind the last one comes COMMIT,
// and before each other one a savepoint.
void PostgresLaneTransaction::release_savepoint(int depth) {
  depth_ = depth - 1;
  if (savepoints_ == Savepoints::none) return;
  if (depth > 1) current().wait_for_changes();
  current().send_command(numbered("release s", depth));
}

void PostgresLaneTransaction::undo_to_savepoint(int depth) {
  if (savepoints_ == Savepoints::none) throw internal::MustRunAlone{};
  current().forget_failure();
  current().foresight().forget();  // a row that was locked behind it is locked no more
  current().send_command(numbered("rollback to s", depth));
  release_savepoint(depth);
}

}  // namespace freehold
