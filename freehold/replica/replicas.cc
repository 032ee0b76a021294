// SPDX-License-Identifier: Apache-2.0
#include "freehold/replica/replicas.h"

#include <atomic>
#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/base/planted_bug.h"
#include "freehold/base/record.h"
#include "freehold/events/state_checkpoint.h"

namespace freehold {
namespace {

constexpr int differences_to_tell = 2;
constexpr std::size_t page_states = 500;
constexpr std::chrono::seconds page_timeout{10};
constexpr std::chrono::seconds lease{page_timeout + std::chrono::seconds{5}};  // of a rebuild

// The document that tells of what shape a replica's table is, and whether it waits to be filled.
std::string shape_document(const std::string& table) {
  return "replica_shape/" + table;
}

std::string filled(const ReplicaProgram& program) {
  return std::to_string(program.shape);
}

std::string unfilled(const ReplicaProgram& program) {
  return filled(program) + " unfilled";
}

}  // namespace

struct Replicas::Copy {
  ReplicaProgram program;
  std::string cursor_name;
  bool wants_rebuild = false;
  int differences = 0;  // checkpoints in a row; the I/O thread
  std::atomic<std::uint64_t> passed_over = 0;

  std::string next_table() const { return program.table.name + "_next"; }
  std::string lease_name() const { return "rebuild/" + program.table.name; }
};

// Where there is one role, it is the database itself, which outlives this.
Replicas::Replicas(Database& database)
    : Replicas(database, [&database] {
        return Result<std::shared_ptr<Database>>{
            std::shared_ptr<Database>{std::shared_ptr<void>{}, &database}};
      }) {}
Replicas::Replicas(Database& database, SchemaAccess schema, std::string owner)
    : database_(database), schema_(std::move(schema)), owner_(std::move(owner)) {}
Replicas::~Replicas() = default;

Result<Consumer> Replicas::copy(ReplicaProgram program, Feed& source) {
  copies_.push_back(std::make_unique<Copy>(std::move(program)));
  Copy* const copy = copies_.back().get();
  const ReplicaProgram& of = copy->program;
  Consumer consumer{of.table.name, of.source, BeginAt::state};
  copy->cursor_name = consumer.cursor_name();

  FREEHOLD_TRY(make_table(*copy));

  consumer.on_family(of.family, [copy](SqlTransaction& transaction, const Delivery& delivery) {
    if (FREEHOLD_PLANTED_BUG("replica.update_lost")) return;
    if (copy->program.apply(transaction, copy->program.table.name, delivery) == 0)
      transaction.on_commit([copy] { ++copy->passed_over; });
  });
  consumer.on_family(std::string{family_of(StateCheckpoint::type)},
                     [copy](SqlTransaction& transaction, const Delivery& delivery) {
                       if (delivery.subject == copy->program.family)
                         compare(copy, transaction, delivery);
                     });
  consumer.rebuild_on_divergence(
      [this, copy, &source](const std::string&) { return rebuild(copy, &source); });
  return consumer;
}

Result<> Replicas::make_table(Copy& copy) {
  const internal::ReplicaTable& table = copy.program.table;
  bool is_made = false;
  FREEHOLD_TRY(database_.read_now([&](SqlTransaction& transaction) {
    const auto known = transaction.books().document(shape_document(table.name));
    copy.wants_rebuild = known == unfilled(copy.program);
    is_made = copy.wants_rebuild || known == filled(copy.program);
  }));
  if (is_made) return {};
  FREEHOLD_TRY(const auto schema, schema_());
  return schema->write_now([&](SqlTransaction& transaction) -> Result<> {
    Books& books = transaction.books();
    // Of instances that start at one time the second finds the table made.
    books.take_lease("table/" + table.name, owner_, {});
    const auto known = books.document(shape_document(table.name));
    copy.wants_rebuild = known == unfilled(copy.program);
    if (copy.wants_rebuild || known == filled(copy.program)) return {};
    transaction.run_script("drop table if exists " + table.name);
    transaction.run_script(internal::create_table(table, table.name, transaction.dialect()));
    // The consumer's cursor, or its notes of a beginning, speak of the table that was dropped.
    copy.wants_rebuild = known || books.cursor(copy.cursor_name, 0);
    books.put_document(shape_document(table.name),
                       copy.wants_rebuild ? unfilled(copy.program) : filled(copy.program));
    return {};
  });
}

// Runs where the owner's checkpoint lies in the log: everything before it has been applied.
void Replicas::compare(Copy* copy, SqlTransaction& transaction, const Delivery& delivery) {
  const auto owner = read_json<StateCheckpoint>(delivery.data, Strictness::tolerant);
  if (!owner) throw internal::UnreadableState(delivery, owner.error().detail());
  SqlStatement& statement = transaction.statement(internal::sum_of_rows(copy->program.table.name));
  const internal::StatementUse use{statement};
  statement.next();
  const StateSum own{statement.integer(0), statement.integer(1)};
  const bool is_equal = own == StateSum{owner->subjects, owner->versions};
  transaction.on_commit([copy, is_equal, at = delivery.id.text()] {
    copy->differences = is_equal ? 0 : copy->differences + 1;
    if (copy->differences == differences_to_tell)
      record(Severity::error, "replica differs from its owner",
             {{"replica", copy->program.table.name}, {"checkpoint", at}});
  });
}

std::map<std::string, bool> Replicas::drift() const {
  std::map<std::string, bool> drift;
  for (const auto& copy : copies_)
    drift[copy->program.table.name] = copy->differences >= differences_to_tell;
  return drift;
}

std::map<std::string, std::uint64_t> Replicas::passed_over() const {
  std::map<std::string, std::uint64_t> counts;
  for (const auto& copy : copies_) counts[copy->program.table.name] = copy->passed_over;
  return counts;
}

bool Replicas::wants_rebuild(std::string_view consumer) const {
  for (const auto& copy : copies_)
    if (copy->cursor_name == consumer) return copy->wants_rebuild;
  return false;
}

// The first statement of each transaction of a rebuild.
Result<> Replicas::hold(SqlTransaction& transaction, const Copy& copy) const {
  if (transaction.books().take_lease(copy.lease_name(), owner_, lease)) return {};
  return Error{errors::overloaded, "another instance rebuilds " + copy.program.table.name};
}

// Makes the second table. False: another instance has rebuilt what this one found unfilled.
Task<Result<bool>> Replicas::begin_rebuild(Copy* copy, Database* schema) {
  co_return co_await schema->write(
      [this, copy, wanted = copy->wants_rebuild](SqlTransaction& transaction) -> Result<bool> {
        FREEHOLD_TRY(hold(transaction, *copy));
        const ReplicaProgram& program = copy->program;
        if (wanted &&
            transaction.books().document(shape_document(program.table.name)) == filled(program))
          return false;
        transaction.run_script("drop table if exists " + copy->next_table());
        transaction.run_script(
            internal::create_table(program.table, copy->next_table(), transaction.dialect()));
        return true;
      });
}

Task<Result<>> Replicas::rebuild(Copy* copy, Feed* source) {
  const internal::ReplicaTable& table = copy->program.table;
  FREEHOLD_CO_TRY(const auto log, co_await source->describe(deadline_in(page_timeout)));
  FREEHOLD_CO_TRY(const auto schema, schema_());
  FREEHOLD_CO_TRY(const bool is_begun, co_await begin_rebuild(copy, schema.get()));
  if (!is_begun) {
    copy->wants_rebuild = false;
    co_return Result<>{};
  }
  FREEHOLD_CO_TRY(co_await fill(copy, source, log.log_id));
  FREEHOLD_CRASH_POINT("replica.before_swap");
  FREEHOLD_CO_TRY(co_await schema->write([this, copy, log, &table, next = copy->next_table()](
                                             SqlTransaction& transaction) -> Result<> {
    FREEHOLD_TRY(hold(transaction, *copy));
    // The cursors before the table, as the consumer takes them at another instance: who takes them
    // in the other order waits in a circle with it.
    Books& books = transaction.books();
    for (const EventId& head : log.heads)
      books.begin_cursor(copy->cursor_name, head.partition, {head, log.log_id});
    transaction.run_script("drop table " + table.name + "; alter table " + next + " rename to " +
                           table.name);
    FREEHOLD_CRASH_POINT("replica.in_swap");
    if (copy->program.replaced) copy->program.replaced(transaction);
    books.put_document(shape_document(table.name), filled(copy->program));
    books.take_lease(copy->lease_name(), owner_, {});  // and gives it back
    return {};
  }));
  FREEHOLD_CRASH_POINT("replica.after_swap");
  copy->differences = 0;
  copy->wants_rebuild = false;
  record(Severity::info, "replica rebuilt", {{"replica", table.name}});
  co_return Result<>{};
}

// One page a transaction, so that no writer waits for long. Pages of another log than the one whose
// heads were noted would be older than these heads, or newer, or of no kin: log_diverged.
Task<Result<>> Replicas::fill(Copy* copy, Feed* source, std::string log_id) {
  std::string after;
  do {
    FREEHOLD_CO_TRY(auto page, co_await source->states(copy->program.family, after, page_states,
                                                       deadline_in(page_timeout)));
    if (page.log_id != log_id)
      co_return Error{errors::log_diverged, "the log of " + copy->program.source +
                                                " was replaced while its states were read"};
    FREEHOLD_CO_TRY(
        co_await database_.write([this, copy, batch = page.batch, table = copy->next_table()](
                                     SqlTransaction& transaction) -> Result<> {
          FREEHOLD_TRY(hold(transaction, *copy));
          for (const CloudEvent& event : batch->events())
            copy->program.apply(transaction, table, delivery_of(event, copy->program.source));
          return {};
        }));
    FREEHOLD_CRASH_POINT("replica.after_page");
    after = page.next;
  } while (!after.empty());
  co_return Result<>{};
}

}  // namespace freehold
