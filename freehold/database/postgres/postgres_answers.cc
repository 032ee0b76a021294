// SPDX-License-Identifier: Apache-2.0
//
// Answers of idempotent calls where several instances share the database. A key is held by a lock
// of the transaction, so of two that act under it one waits and then sees what the other has
// committed; that it does not wait for a row makes a refusal leave nothing behind, and half days
// meet without a seam. The index of the key decides once more: the same key twice in one part is an
// error.
//
// An answer lies in the part of its half day, of which there are five in turn. Three or four have
// answers that still count; the one behind them is emptied as a whole, and is not used again for
// half a day at least. Time is the server's here: an instance whose clock is a day off would else
// put its answers into the part that is emptied next, or empty the one in use.
#include <optional>
#include <string>
#include <vector>

#include "freehold/database/internal/columns.h"
#include "freehold/database/postgres/postgres_books.h"

namespace freehold {
namespace {

// When the transaction began, in microseconds since 1970: one moment for an answer and its part.
#define FREEHOLD_SERVER_NOW "(extract(epoch from now()) * 1000000)::bigint"
// The part of a time: its half day since 1970, of five in turn.
#define FREEHOLD_SLOT_OF(time) "(" time ") / 43200000000 % 5"

// In one order for all, so that nobody waits in a circle.
constexpr std::string_view lock_keys =
    "select pg_advisory_xact_lock(n.lock) from (select distinct hashtextextended(name, 0) as lock "
    "from unnest($1) as name order by 1) as n";
#define FREEHOLD_DIGEST_OF(name) "substring(sha256(convert_to(" name ", 'UTF8')) from 1 for 16)"
constexpr std::string_view answers_of_keys =
    "select n.number, a.slot, a.at, a.request_hash, a.status, a.location, "
    "a.body, " FREEHOLD_SERVER_NOW
    " - a.at as age "
    "from unnest($1) with ordinality as n (name, number) cross join lateral (select * from "
    "freehold_answer where digest = " FREEHOLD_DIGEST_OF("n.name") " limit 5) as a";
constexpr std::string_view insert_answer =
    "insert into freehold_answer (digest, slot, at, request_hash, status, location, body) "
    "values (" FREEHOLD_DIGEST_OF("$1") ", " FREEHOLD_SLOT_OF(
        FREEHOLD_SERVER_NOW) ", " FREEHOLD_SERVER_NOW ", $2, $3, $4, $5)";
constexpr std::string_view drop_outlived =
    "delete from freehold_answer where digest = " FREEHOLD_DIGEST_OF("$1") " and slot = $2";
// The part before that of `$1` ago, of which some may count still.
constexpr sql::Query<std::int64_t(std::int64_t)> empty_answers{
    "select freehold_empty_answers(" FREEHOLD_SLOT_OF(FREEHOLD_SERVER_NOW
                                                      " - $1 - 43200000000") ")"};
#undef FREEHOLD_DIGEST_OF
#undef FREEHOLD_SLOT_OF
#undef FREEHOLD_SERVER_NOW

std::string name_of(std::string_view scope, std::string_view key) {
  return std::string{scope}.append("\n").append(key);
}

}  // namespace

// Two statements, for the second must see what was committed while the first waited.
void PostgresBooks::hold_answers(std::span<AnswerHold* const> holds) {
  std::vector<std::string> names;
  for (const AnswerHold* hold : holds) names.push_back(name_of(hold->scope, hold->key));
  PostgresStatement& lock = statement(lock_keys);
  lock.texts(1, std::vector<std::optional<std::string_view>>{names.begin(), names.end()});
  lock.send_lock();
  for (const auto& [place, slot] : find_answers(holds, names)) {
    PostgresStatement& drop = statement(drop_outlived);
    drop.text(1, names[place]);
    drop.integer(2, slot);
    drop.send();
  }
}

void PostgresBooks::find_answer(AnswerHold& hold) {
  AnswerHold* const one = &hold;
  const std::string name = name_of(hold.scope, hold.key);
  find_answers({&one, 1}, {&name, 1});
}

// Returns where there are answers that do not count any more: what lies in a part that nobody has
// emptied in time, under a key that is used again.
std::vector<std::pair<std::size_t, std::int64_t>> PostgresBooks::find_answers(
    std::span<AnswerHold* const> holds, std::span<const std::string> names) {
  PostgresStatement& find = statement(answers_of_keys);
  const internal::StatementUse use{find};
  find.texts(1, std::vector<std::optional<std::string_view>>{names.begin(), names.end()});
  for (AnswerHold* hold : holds) hold->answer.reset();
  std::vector<std::pair<std::size_t, std::int64_t>> outlived;
  while (find.next()) {
    const auto place = static_cast<std::size_t>(find.integer(0)) - 1;
    AnswerHold& hold = *holds[place];
    if (std::chrono::microseconds{find.integer(7)} > hold.kept) {
      outlived.emplace_back(place, find.integer(1));
      continue;
    }
    hold.answer = StoredAnswer{.scope = hold.scope,
                               .key = hold.key,
                               .request_hash = internal::bits_in(find.integer(3)),
                               .status = static_cast<int>(find.integer(4)),
                               .body = std::string{find.text(6)},
                               .location = std::string{find.text(5)},
                               .at = Time{std::chrono::microseconds{find.integer(2)}}};
  }
  return outlived;
}

std::uint64_t PostgresBooks::remember_answer(const StoredAnswer& answer) {
  PostgresStatement& insert = statement_by_key(insert_answer);
  insert.text(1, name_of(answer.scope, answer.key));
  insert.integer(2, internal::column_of_bits(answer.request_hash));
  insert.integer(3, answer.status);
  insert.text(4, answer.location);
  insert.text(5, answer.body);
  insert.send();
  insert.reset();
  return 0;
}

std::vector<AnswerKey> PostgresBooks::answer_keys_after(std::uint64_t /*sequence*/,
                                                        std::size_t /*answers_max*/) {
  return {};
}

std::optional<StoredAnswer> PostgresBooks::answer(std::uint64_t /*sequence*/) {
  return std::nullopt;
}

std::size_t PostgresBooks::forget_answers(std::chrono::microseconds age,
                                          std::size_t /*answers_max*/) {
  transaction_.first(empty_answers, age.count());
  return 0;
}

}  // namespace freehold
