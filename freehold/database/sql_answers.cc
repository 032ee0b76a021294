// SPDX-License-Identifier: Apache-2.0
//
// Answers of idempotent calls, in a database that one instance has, and small documents. Answers
// are appended under a sequence that grows with time and never found by their key here: a B-tree on
// the clients' random keys was the single largest cost of an order. Who serves calls keeps the
// recent keys in memory.
#include <algorithm>

#include "freehold/base/assert.h"
#include "freehold/base/clock.h"
#include "freehold/database/internal/columns.h"
#include "freehold/database/sql_books.h"

namespace freehold {
namespace {

struct AnswerRow {
  std::int64_t sequence;
  std::string scope;
  std::string key;
  std::int64_t request_hash;
  int status;
  std::string body;
  std::string location;
  Time at;
};
BOOST_DESCRIBE_STRUCT(AnswerRow, (),
                      (sequence, scope, key, request_hash, status, body, location, at))

constexpr sql::Query<std::int64_t()> newest_sequence{
    "select coalesce(max(sequence), 0) as newest from freehold_answer"};
constexpr sql::Change<void(std::int64_t, std::string_view, std::string_view, std::int64_t, int,
                           std::string_view, std::string_view, Time)>
    insert_answer{sql::by_key("insert into freehold_answer "
                              "(sequence, scope, key, request_hash, status, body, location, at) "
                              "values ($1, $2, $3, $4, $5, $6, $7, $8)")};
struct KeyRow {
  std::int64_t sequence;
  std::string scope;
  std::string key;
};
BOOST_DESCRIBE_STRUCT(KeyRow, (), (sequence, scope, key))

constexpr sql::Query<KeyRow(std::int64_t, std::int64_t)> keys_after{
    "select sequence, scope, key from freehold_answer where sequence > $1 "
    "order by sequence limit $2"};
constexpr sql::Query<AnswerRow(std::int64_t)> answer_of{
    "select sequence, scope, key, request_hash, status, body, location, at from freehold_answer "
    "where sequence = $1"};
constexpr sql::Change<void(std::int64_t, std::int64_t)> delete_answers{sql::apart(
    "delete from freehold_answer where sequence in (select sequence from freehold_answer "
    "where sequence < $1 order by sequence limit $2)")};

constexpr sql::Query<std::string(std::string_view)> document_of{
    "select text from freehold_document where name = $1"};
constexpr sql::Change<void(std::string_view, std::string_view)> set_document{
    "insert into freehold_document (name, text) values ($1, $2) "
    "on conflict (name) do update set text = excluded.text"};

StoredAnswer answer_in(AnswerRow&& row) {
  return {.sequence = static_cast<std::uint64_t>(row.sequence),
          .scope = std::move(row.scope),
          .key = std::move(row.key),
          .request_hash = internal::bits_in(row.request_hash),
          .status = row.status,
          .body = std::move(row.body),
          .location = std::move(row.location),
          .at = row.at};
}

// The sequence of an answer is the microsecond at which it was remembered, or the next free number
// when that one is taken: never less.
std::int64_t sequence_at(Time at) {
  return at.time_since_epoch().count();
}

}  // namespace

// A sequence that an undone transaction took stays unused; it is only said that they grow. They do
// so even after all answers were forgotten, so an index that still names an old one finds nothing.
std::uint64_t SqlBooks::remember_answer(const StoredAnswer& answer) {
  const std::int64_t newest =
      newest_answer_ ? *newest_answer_ : sql_.first(newest_sequence).value_or(0);
  const std::int64_t sequence = std::max(newest + 1, sequence_at(answer.at));
  newest_answer_ = sequence;
  sql_.run(insert_answer, sequence, answer.scope, answer.key,
           internal::column_of_bits(answer.request_hash), answer.status, answer.body,
           answer.location, answer.at);
  return static_cast<std::uint64_t>(sequence);
}

std::vector<AnswerKey> SqlBooks::answer_keys_after(std::uint64_t sequence,
                                                   std::size_t answers_max) {
  std::vector<AnswerKey> keys;
  for (KeyRow& row :
       sql_.all(keys_after, static_cast<std::int64_t>(sequence), internal::limit_of(answers_max)))
    keys.push_back(
        {static_cast<std::uint64_t>(row.sequence), std::move(row.scope), std::move(row.key)});
  return keys;
}

std::optional<StoredAnswer> SqlBooks::answer(std::uint64_t sequence) {
  auto row = sql_.first(answer_of, static_cast<std::int64_t>(sequence));
  if (!row) return std::nullopt;
  return answer_in(std::move(*row));
}

std::size_t SqlBooks::forget_answers(std::chrono::microseconds age, std::size_t answers_max) {
  return static_cast<std::size_t>(
      sql_.count(delete_answers, sequence_at(now() - age), internal::limit_of(answers_max)));
}

void SqlBooks::hold_answers(std::span<AnswerHold* const> /*holds*/) {
  FREEHOLD_ASSERT(false, "keys are held in a shared database");
}

void SqlBooks::find_answer(AnswerHold& /*hold*/) {
  FREEHOLD_ASSERT(false, "answers are found by their keys in a shared database");
}

std::optional<std::string> SqlBooks::document(std::string_view name) {
  return sql_.first(document_of, name);
}

void SqlBooks::put_document(std::string_view name, std::string_view text) {
  sql_.run(set_document, name, text);
}

}  // namespace freehold
