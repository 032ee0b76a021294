// SPDX-License-Identifier: Apache-2.0
//
// The tables of the books. Times are microseconds since 1970 UTC; stamps and hashes are the signed
// numbers of the same 64 bits; a `place` is partition · 2^48 + position.
//
//   freehold_log         one row: the log's identity and its number of partitions, for ever
//   freehold_head        a row a partition: its newest event and the last one that was cut (low)
//   freehold_event       the log. Dense from low to head; at or below low only latest states are
//                        left. `subject` is set in state events alone
//   freehold_state       where the latest state event of each subject lies. A deleted subject keeps
//                        its row until its last event is cut, against older versions that come late
//   freehold_reader      what each reader of this log has acknowledged
//   freehold_cursor      how far a consumer has read a partition of another log
//   freehold_waypoint    one id a minute of each cursor, for 7 days
//   freehold_try         how often the process died while it applied an event
//   freehold_aside       set-aside events, in the order of the log within each (consumer, key)
//   freehold_lease       who may act under a name, and the epoch that fences those before
//   freehold_saga        a row a saga, its input and its journal in it. `ended` is 0 until it is
//                        final, `due` is 0 without a timer. One index has the live sagas, one the
//                        timers, one the final sagas by time, for retention
//   freehold_late        outcomes that came after their step had one, or for no saga
//   freehold_answer      answers of idempotent calls. SQLite: append-only, `sequence` grows with
//                        time. PostgreSQL: found by the digest of scope and key, each in the part
//                        of its half day (`slot`), which is emptied as a whole
//   freehold_document    small texts by name
//
// What every order touches is written at the end of its B-tree: keys are numbers that grow, or
// begin with an id that does, and an index of it covers only the few rows that somebody looks for.
// A large row stands in a table with a rowid, since one without it spills at a quarter of a page.
#include "freehold/database/sql_books.h"

#include "freehold/base/assert.h"
#include "freehold/base/id.h"

namespace freehold {
namespace {

// SQLite's text; PostgreSQL's is made of it.
constexpr std::string_view tables = R"(
create table if not exists freehold_log (
  one integer primary key check (one = 1),
  log_id text not null,
  partitions integer not null);
create table if not exists freehold_head (
  partition integer primary key,
  position integer not null,
  stamp integer not null,
  appended integer not null,
  low_position integer not null,
  low_stamp integer not null);
create table if not exists freehold_event (
  place integer primary key,
  stamp integer not null,
  appended integer not null,
  type text not null,
  recipient text not null,
  subject text,
  json text not null);
create table if not exists freehold_state (
  family text not null,
  subject text not null,
  version integer not null,
  place integer not null,
  deleted integer not null,
  primary key (family, subject)) without rowid;
create table if not exists freehold_reader (
  service text not null,
  consumer text not null,
  partition integer not null,
  position integer not null,
  stamp integer not null,
  seen integer not null,
  primary key (service, consumer, partition)) without rowid;
create table if not exists freehold_cursor (
  consumer text not null,
  partition integer not null,
  position integer not null,
  stamp integer not null,
  log_id text not null,
  primary key (consumer, partition)) without rowid;
create table if not exists freehold_waypoint (
  consumer text not null,
  partition integer not null,
  minute integer not null,
  position integer not null,
  stamp integer not null,
  primary key (consumer, partition, minute)) without rowid;
create table if not exists freehold_try (
  consumer text not null,
  partition integer not null,
  position integer not null,
  stamp integer not null,
  tries integer not null,
  primary key (consumer, partition, position, stamp)) without rowid;
create table if not exists freehold_aside (
  consumer text not null,
  key text not null,
  partition integer not null,
  position integer not null,
  stamp integer not null,
  attempts integer not null,
  next_try integer not null,
  parked integer not null,
  why text not null,
  json text not null,
  primary key (consumer, key, partition, position, stamp));
create table if not exists freehold_lease (
  name text primary key,
  owner text not null,
  epoch integer not null,
  held_until integer not null) without rowid;
create table if not exists freehold_saga (
  number integer primary key,
  id text not null unique,
  type text not null,
  status text not null,
  started integer not null,
  ended integer not null,
  due integer not null,
  why text not null,
  input text not null,
  journal text not null,
  trace_parent text not null default '');
create index if not exists freehold_saga_live on freehold_saga (status, id) where ended = 0;
create index if not exists freehold_saga_due on freehold_saga (due) where due <> 0;
create index if not exists freehold_saga_ended on freehold_saga (ended) where ended <> 0;
create table if not exists freehold_late (
  saga text not null,
  step integer not null,
  number integer not null,
  noted integer not null,
  outcome text not null,
  primary key (saga, step, number)) without rowid;
create table if not exists freehold_document (
  name text primary key,
  text text not null);
)";

constexpr std::string_view sqlite_alone = R"(
create table if not exists freehold_answer (
  sequence integer primary key,
  at integer not null,
  scope text not null,
  key text not null,
  request_hash integer not null,
  status integer not null,
  location text not null,
  body text not null);
)";

// Rows that every batch updates, in pages that have room for their versions, and those that died
// are swept at once: behind one open snapshot such a row became 2.5 times slower within 20 s.
// A saga's number is for SQLite, whose tables are in the order of one.
// freehold_commit: (lane, batch) of commits, by which one whose answer was lost is found.
// freehold_empty_answers: for the service's role, which may not truncate; where somebody looks at
// the part for long (a dump does), it is not waited for.
// freehold_rewrite_personal_tables: VACUUM leaves the bytes of a dead row in the gap of its page,
// and only a table's owner may write it anew. Rows, indexes and long values go to new files; the
// table is locked meanwhile. The segment of the server's log that may hold such bytes is closed, if
// the owner may do that, so that the next checkpoint lets it go.
constexpr std::string_view postgres_alone = R"(
create table if not exists freehold_commit (
  lane bigint not null,
  batch bigint not null,
  settled bigint not null,
  at bigint not null,
  primary key (lane, batch)) with (autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_scale_factor = 0);
alter table freehold_saga drop column if exists number;
create or replace function freehold_rewrite_personal_tables() returns bigint language plpgsql
  security definer set search_path = pg_catalog, pg_temp as $$
declare
  personal record;
  tables bigint := 0;
begin
  for personal in
    select c.oid::regclass as name, i.relname as key
    from pg_class c join pg_index x on x.indrelid = c.oid and x.indisprimary
    join pg_class i on i.oid = x.indexrelid
    where c.relowner = current_user::regrole
    and obj_description(c.oid, 'pg_class') = 'personal data' order by c.relname
  loop
    execute format('cluster %s using %I', personal.name, personal.key);
    tables := tables + 1;
  end loop;
  if has_function_privilege('pg_switch_wal()', 'execute') then
    perform pg_switch_wal();
  end if;
  return tables;
end $$;
alter table freehold_head set (fillfactor = 10, autovacuum_vacuum_threshold = 100,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
alter table freehold_cursor set (fillfactor = 10, autovacuum_vacuum_threshold = 100,
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_cost_delay = 0);
create table if not exists freehold_answer (
  slot bigint not null,
  digest bytea not null,
  at bigint not null,
  request_hash bigint not null,
  status bigint not null,
  location text collate "C" not null,
  body text collate "C" not null,
  primary key (digest, slot)) partition by list (slot);
create table if not exists freehold_answer_0 partition of freehold_answer for values in (0);
create table if not exists freehold_answer_1 partition of freehold_answer for values in (1);
create table if not exists freehold_answer_2 partition of freehold_answer for values in (2);
create table if not exists freehold_answer_3 partition of freehold_answer for values in (3);
create table if not exists freehold_answer_4 partition of freehold_answer for values in (4);
create or replace function freehold_empty_answers(emptied bigint) returns bigint
  language plpgsql security definer set search_path from current set lock_timeout = '200ms'
as $$ begin
  if exists (select from freehold_answer where slot = emptied) then
    execute format('truncate freehold_answer_%s', emptied);
  end if;
  return 1;
exception when lock_not_available then
  return 0;
end $$;
)";

constexpr sql::Change<void(std::string_view, std::int64_t)> draw_log{
    "insert into freehold_log (one, log_id, partitions) values (1, $1, $2) on conflict do nothing"};
constexpr sql::Query<std::int64_t()> partitions_of_log{"select partitions from freehold_log"};
constexpr sql::Change<void(std::int64_t)> add_head{
    "insert into freehold_head (partition, position, stamp, appended, low_position, low_stamp) "
    "values ($1, 0, 0, 0, 0, 0) on conflict do nothing"};

}  // namespace

void create_books(SqlTransaction& transaction, std::uint32_t partitions) {
  FREEHOLD_ASSERT(partitions >= 1 && partitions <= 100, "a log has 1 to 100 partitions");
  const sql::Dialects alone{.sqlite = sqlite_alone, .postgres = postgres_alone};
  transaction.run_script(sql::tables_in(transaction.dialect(), tables));
  transaction.run_script(alone.in(transaction.dialect()));
  transaction.run(draw_log, to_text(make_id_bytes()), partitions);
  const std::int64_t kept = transaction.first(partitions_of_log).value();
  for (std::int64_t partition = 0; partition < kept; ++partition)
    transaction.run(add_head, partition);
}

}  // namespace freehold
