// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <any>
#include <concepts>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/database/books.h"
#include "freehold/database/sql.h"
#include "freehold/database/statement.h"
#include "freehold/database/watch.h"

namespace freehold {

// What a body returns, as a Result: T and Result<T> both become Result<T>.
template <class T>
struct AsResult {
  using type = Result<T>;  // NOLINT(readability-identifier-naming): as in <type_traits>
};
template <class T>
struct AsResult<Result<T>> {
  using type = Result<T>;  // NOLINT(readability-identifier-naming): as in <type_traits>
};

// One transaction of a service's own database, as a body sees it: what every kind of database has.
// It lives on the database's thread while the body runs and must not be kept. All of it becomes
// visible and durable at once, or none of it.
class Transaction {
 public:
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  virtual ~Transaction() = default;

  // Adds an event to this service's log. Its position is given out when the batch commits; nobody
  // sees it earlier. Larger than 64 KiB: the body (or the attempt around it) is refused with
  // event_too_large. In a read it is a bug.
  void append(NewEvent event);

  // What is appended while this lives belongs to that trace: the W3C traceparent of the request or
  // of the event that the body answers, which outlives it; empty: to none. The newest one counts.
  class Traced {
   public:
    Traced(Transaction& transaction, std::string_view trace_parent)
        : transaction_(transaction), before_(transaction.trace_parent_) {
      transaction_.trace_parent_ = trace_parent;
    }
    Traced(const Traced&) = delete;
    Traced& operator=(const Traced&) = delete;
    ~Traced() { transaction_.trace_parent_ = before_; }

   private:
    Transaction& transaction_;
    const std::string_view before_;
  };
  std::string_view trace_parent() const { return trace_parent_; }

  // Runs after this transaction is durable, on the database's completion executor; never before,
  // perhaps never (a crash): for wake-ups, caches and metrics only.
  void on_commit(std::move_only_function<void()> what);

  // Runs, at once and on the thread of the body, when this body or the attempt around it is undone.
  // It may be run again afterwards: for what a body set aside in memory.
  void on_rollback(std::move_only_function<void()> what);

  // After the commit, wakes those who watch this subject (an aggregate's id), and tells them the
  // news, if there are any, in place of those that they have not taken yet; see watch.h.
  void changed(std::string subject, std::any news = {});

  // What this body deletes or overwrites is personal: its bytes are to leave the database's files,
  // and its log, within the time that the service is given for that.
  void erased();

  // Runs `body()` -> T or Result<T> as an inner atomic scope: a refusal undoes what this body did,
  // its appended events and its on_commit entries, and is returned; the transaction goes on.
  // Costs nothing unless the body is refused after it has written (then the batch is run once more,
  // with a savepoint here). An exception leaves the scope and fails the transaction.
  template <class Body>
  auto attempt(Body&& body) -> typename AsResult<std::invoke_result_t<Body>>::type;

  // What the database keeps for the toolkit: log, cursors, set-aside events, journals, timers.
  virtual Books& books() = 0;

 protected:
  enum class Access { write, read };
  explicit Transaction(Access access) : access_(access) {}

  // A place to which an attempt can go back.
  struct Mark {
    std::size_t events;
    std::size_t on_commit;
    std::size_t on_rollback;
    std::int64_t writes;
  };
  Mark mark() const;
  void undo_in_memory(const Mark& mark);
  void set_watches(Watches& watches) { watches_ = &watches; }

  virtual std::int64_t writes() const = 0;  // grows with every row or table changed
  // Savepoints nest; opening one returns its depth, by which it is released or undone with all that
  // were opened after it. In the first run of a batch there are none: opening and releasing do
  // nothing, and undoing throws internal::MustRunAlone, which only the lane catches.
  virtual int open_savepoint() = 0;
  virtual void release_savepoint(int depth) = 0;
  virtual void undo_to_savepoint(int depth) = 0;  // and releases it

  const Access access_;
  Watches* watches_ = nullptr;
  std::string_view trace_parent_;
  std::vector<NewEvent> events_;
  std::vector<std::move_only_function<void()>> on_commit_;
  std::vector<std::move_only_function<void()>> on_rollback_;
};

namespace internal {

// The moment of the last erasure whose bytes may be in files, in microseconds since 1970; or empty.
inline constexpr std::string_view erasure_document = "freehold_erasure";

// A body is refused from within (SqlTransaction::require). Caught by attempt() and by the lane.
struct Refused {
  Error error;
};

// A body was refused after it had written, in a batch without savepoints: the lane rolls the batch
// back and runs it again with a savepoint for each body and each attempt.
struct MustRunAlone {};

// A body that is run only to learn what it asks for (SqlTransaction::look_ahead) asks for something
// that is not known yet. Caught there alone.
struct LookedAhead {};

}  // namespace internal

// How much a page may hold: so many rows, and so many bytes of their texts and blobs, whichever
// is reached first.
struct PageLimits {
  std::size_t rows = 100;
  std::size_t bytes = 256 * 1024;
};

template <class Row>
struct Page {
  std::vector<Row> rows;
  bool is_last = true;  // no row follows
};

// A transaction of a database that speaks SQL.
class SqlTransaction : public Transaction {
 public:
  // The first row, if any. Waits for it.
  template <class Row, class... Declared, class... Given>
  std::optional<Row> first(const sql::Query<Row(Declared...)>& query, const Given&... given);

  // All rows, in the order of the statement. Waits for them.
  template <class Row, class... Declared, class... Given>
  std::vector<Row> all(const sql::Query<Row(Declared...)>& query, const Given&... given);

  // The first rows, as many as the limits allow, in the order of the statement; waits for them.
  // One row is always taken, so that a reader who goes on behind the last one gets to the end.
  template <class Row, class... Declared, class... Given>
  Page<Row> page(const sql::Query<Row(Declared...)>& query, PageLimits limits,
                 const Given&... given);

  // Changes rows; not waited for.
  template <class... Declared, class... Given>
  void run(const sql::Change<void(Declared...)>& change, const Given&... given);

  // Changes rows and returns how many. Waits for the count.
  template <class... Declared, class... Given>
  std::int64_t count(const sql::Change<void(Declared...)>& change, const Given&... given);

  // Exactly one row must change, else the body (or the attempt around it) is refused with `code`.
  // May leave the body at once or let it go on to its end; the refusal counts in either case.
  template <class... Declared, class... Given>
  void require(const ErrorCode& code, const sql::Change<void(Declared...)>& change,
               const Given&... given);

  // The same, for who has another answer to it. What is returned may be assumed; if it was not so,
  // the batch is run again, and then it is known.
  template <class... Declared, class... Given>
  bool changes_one(const sql::Change<void(Declared...)>& change, const Given&... given);

  // Says that this query will be asked later in this transaction: those that were foreseen since
  // the last wait are asked together.
  template <class Row, class... Declared, class... Given>
  void foresee(const sql::Query<Row(Declared...)>& query, const Given&... given);

  // Before `run(0)` … `run(bodies - 1)` are done one after the other: a remote database may run
  // each of them, perhaps more than once, to learn which rows (sql::by_key, sql::estimate) and
  // locks they ask for, and asks for all of them together, in the order of keys. Nothing that they
  // do on the way stays, in the database or in memory (on_rollback); what they throw does not
  // count. A query by key may tell such a run that there is no row.
  virtual void look_ahead(std::size_t bodies, const std::function<void(std::size_t)>& run) {
    (void)bodies, (void)run;
  }

  // Whether this run is such a look: a body that has foreseen all that it asks for may return.
  virtual bool is_looked_at() const { return false; }

  virtual sql::Dialect dialect() const = 0;
  // For the toolkit's own rooms: a statement that is built at run time, cached by its text.
  virtual SqlStatement& statement(std::string_view text) = 0;
  // The same, with the promise of sql::by_key.
  virtual SqlStatement& statement_by_key(std::string_view text) { return statement(text); }
  // Runs statements without parameters or rows, separated by `;` (tables of replicas, migrations).
  virtual void run_script(std::string_view script) = 0;

 protected:
  using Transaction::Transaction;

  // The statement of that text on this connection, prepared at most once, ready for a use.
  virtual SqlStatement& prepared(const sql::Text& text) = 0;

 private:
  template <class... Declared, class... Given>
  SqlStatement& bound(const sql::Text& text, const Given&... given);
};

}  // namespace freehold

#include "freehold/database/internal/transaction_inline.h"
