// SPDX-License-Identifier: Apache-2.0
#include "freehold/replica/replicas.h"

#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/planted_bug.h"
#include "freehold/base/record.h"

namespace freehold {
namespace {

constexpr std::size_t page_states = 500;
constexpr std::chrono::seconds page_timeout{10};

Delivery delivery_of(const CloudEvent& event, std::string_view source) {
  return {.source = source,
          .id = event.id,
          .type = event.type,
          .subject = event.subject,
          .partition_key = event.partition_key,
          .time = event.time,
          .deleted = event.deleted,
          .data = event.data};
}

std::string shape_document(const std::string& table) {
  return "replica_shape/" + table;
}

}  // namespace

struct Replicas::Copy {
  ReplicaProgram program;
  std::string cursor_name;
  bool wants_rebuild = false;

  std::string next_table() const { return program.table.name + "_next"; }
};

Replicas::Replicas(Database& database) : database_(database) {}
Replicas::~Replicas() = default;

Result<Consumer> Replicas::copy(ReplicaProgram program, Feed& source) {
  copies_.push_back(std::make_unique<Copy>(Copy{.program = std::move(program)}));
  Copy* const copy = copies_.back().get();
  const ReplicaProgram& of = copy->program;
  Consumer consumer{of.table.name, of.source, BeginAt::state};
  copy->cursor_name = consumer.cursor_name();

  FREEHOLD_TRY(database_.write_now([&](SqlTransaction& transaction) -> Result<> {
    const std::string shape = std::to_string(of.shape);
    const auto known = transaction.books().document(shape_document(of.table.name));
    if (known == shape) return {};
    transaction.run_script("drop table if exists " + of.table.name);
    transaction.run_script(internal::create_table(of.table, of.table.name));
    transaction.books().put_document(shape_document(of.table.name), shape);
    copy->wants_rebuild = transaction.books().cursor(copy->cursor_name, 0).has_value();
    return {};
  }));

  consumer.on_family(of.family, [copy](SqlTransaction& transaction, const Delivery& delivery) {
    if (FREEHOLD_PLANTED_BUG("replica.update_lost")) return;
    copy->program.apply(transaction, copy->program.table.name, delivery);
  });
  consumer.rebuild_on_divergence(
      [this, copy, &source](std::string) { return rebuild(copy, &source); });
  return consumer;
}

bool Replicas::wants_rebuild(std::string_view consumer) const {
  for (const auto& copy : copies_)
    if (copy->cursor_name == consumer) return copy->wants_rebuild;
  return false;
}

Task<Result<>> Replicas::rebuild(Copy* copy, Feed* source) {
  const internal::ReplicaTable& table = copy->program.table;
  FREEHOLD_CO_TRY(const auto log, co_await source->describe(deadline_in(page_timeout)));
  FREEHOLD_CO_TRY(
      co_await database_.write([copy, next = copy->next_table()](SqlTransaction& transaction) {
        transaction.run_script("drop table if exists " + next);
        transaction.run_script(internal::create_table(copy->program.table, next));
      }));
  FREEHOLD_CO_TRY(co_await fill(copy, source, copy->next_table()));
  FREEHOLD_CRASH_POINT("replica.before_swap");
  FREEHOLD_CO_TRY(co_await database_.write(
      [copy, log, &table, next = copy->next_table()](SqlTransaction& transaction) {
        transaction.run_script("drop table " + table.name + "; alter table " + next +
                               " rename to " + table.name);
        for (const EventId& head : log.heads)
          transaction.books().begin_cursor(copy->cursor_name, head.partition, {head, log.log_id});
      }));
  FREEHOLD_CRASH_POINT("replica.after_swap");
  copy->wants_rebuild = false;
  record(Severity::info, "replica rebuilt", {{"replica", table.name}});
  co_return Result<>{};
}

// One page a transaction, so that no writer waits for long.
Task<Result<>> Replicas::fill(Copy* copy, Feed* source, std::string table) {
  std::string after;
  do {
    FREEHOLD_CO_TRY(auto page, co_await source->states(copy->program.family, after, page_states,
                                                       deadline_in(page_timeout)));
    FREEHOLD_CO_TRY(
        co_await database_.write([copy, batch = page.batch, table,
                                  source_name = copy->program.source](SqlTransaction& transaction) {
          for (const CloudEvent& event : batch->events())
            copy->program.apply(transaction, table, delivery_of(event, source_name));
        }));
    FREEHOLD_CRASH_POINT("replica.after_page");
    after = page.next;
  } while (!after.empty());
  co_return Result<>{};
}

}  // namespace freehold
