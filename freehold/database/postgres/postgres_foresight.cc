// SPDX-License-Identifier: Apache-2.0
#include "freehold/database/postgres/postgres_foresight.h"

#include <libpq-fe.h>

#include <algorithm>
#include <exception>
#include <numeric>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/database/postgres/postgres_connection.h"
#include "freehold/database/transaction.h"

namespace freehold {
namespace {

// The text for all keys of an array: each key's rows, and behind them which key it was.
std::string for_many(std::string_view text, sql::Reach reach) {
  std::string one{text};
  for (std::size_t at = 0; (at = one.find("$1", at)) != std::string::npos;)
    one.replace(at, 2, "k.key");
  const std::string keys = "unnest($1) with ordinality as k (key, number)";
  if (reach == sql::Reach::lock) return one + " from " + keys;
  return "select q.*, k.number from " + keys + " cross join lateral (" + one + ") as q";
}

// Of which there are arrays, and whose number is a byte of the key.
bool can_be_key(unsigned type) {
  constexpr unsigned bytea = 17, bigint = 20, text = 25;
  return type == bytea || type == bigint || type == text;
}

}  // namespace

std::string PostgresForesight::key_of(const PostgresStatement& statement) {
  const PostgresStatement::Parameter& first = statement.parameters_.front();
  std::string key(1, static_cast<char>(first.type));
  return key += first.bytes;
}

void PostgresForesight::begin(Use use) {
  use_ = use;
  is_looking_ = false;
  forget();
}

void PostgresForesight::forget() {
  for (auto& [text, asked] : asked_) {
    asked.known.clear();
    asked.wanted.clear();
  }
  has_wants_ = false;
}

void PostgresForesight::look_ahead(std::size_t bodies,
                                   const std::function<void(std::size_t)>& run) {
  constexpr int rounds_max = 3;
  if (bodies < 2 || use_ == Use::off || is_looking_) return;
  std::vector<std::size_t> asking(bodies);
  std::iota(asking.begin(), asking.end(), 0);
  std::vector<Told> told(bodies);
  for (int round = 0; round < rounds_max && !asking.empty(); ++round) {
    for (const std::size_t body : asking) told[body] = told_to(run, body);
    if (!has_wants_) return;
    fetch();
    std::erase_if(asking, [&](std::size_t body) { return !was_wrong(told[body]); });
  }
}

PostgresForesight::Told PostgresForesight::told_to(const std::function<void(std::size_t)>& run,
                                                   std::size_t body) {
  is_looking_ = true;
  const auto told = [this] {
    is_looking_ = false;
    return std::exchange(told_, {});
  };
  try {
    run(body);
    return told();
  } catch (const internal::LookedAhead&) {
    return told();  // what it asks for behind that is asked when it runs
  } catch (const internal::Refused&) {
    return told();  // if it is refused when it counts, it says so then
  } catch (const std::exception&) {
    return told();  // likewise
  }
}

bool PostgresForesight::was_wrong(const Told& told) {
  return std::ranges::any_of(told, [](const auto& one) {
    const auto found = one.first->known.find(one.second);
    return found != one.first->known.end() && !found->second.rows.empty();
  });
}

bool PostgresForesight::may_know(const PostgresStatement& query) const {
  return use_ != Use::off && query.reach_ != sql::Reach::anything &&
         query.parameters_.size() == 1 && can_be_key(query.parameters_.front().type);
}

PostgresForesight::Asked& PostgresForesight::asked(PostgresStatement& query) {
  return asked_.try_emplace(query.text_, Asked{&query, query.reach_, {}, {}}).first->second;
}

void PostgresForesight::want(PostgresStatement& query) {
  if (!may_know(query)) return;
  Asked& about = asked(query);
  std::string key = key_of(query);
  if (about.known.contains(key)) return;
  has_wants_ = true;
  about.wanted.insert(std::move(key));
}

bool PostgresForesight::answer(PostgresStatement& query) {
  if (!may_know(query)) return false;
  Asked& about = asked(query);
  const std::string key = key_of(query);
  if (is_looking_ && !about.known.contains(key)) {
    want(query);
    told_.emplace_back(&about, key);
    query.adopt(nullptr, {});
    return true;
  }
  if (about.wanted.contains(key)) fetch();
  const auto found = about.known.find(key);
  if (found == about.known.end()) return false;
  query.adopt(found->second.result, found->second.rows);
  return true;
}

bool PostgresForesight::holds(PostgresStatement& lock) {
  if (!may_know(lock)) return false;
  if (is_looking_) {
    want(lock);  // it goes out before what is read behind it
    return true;
  }
  return asked(lock).known.contains(key_of(lock));
}

void PostgresForesight::changed(std::string_view key) {
  if (use_ == Use::off || is_looking_) return;
  for (auto& [text, asked] : asked_) {
    if (asked.reach == sql::Reach::lock) continue;
    if (asked.reach == sql::Reach::estimate && use_ == Use::whole) continue;
    const auto found = asked.known.find(key);
    if (found != asked.known.end()) asked.known.erase(found);
  }
}

void PostgresForesight::changed_anything() {
  for (auto& [text, asked] : asked_)
    if (asked.reach == sql::Reach::key || use_ == Use::exact) asked.known.clear();
}

PostgresStatement& PostgresForesight::ask(Asked& asked) {
  PostgresStatement& many = connection_.statement(for_many(asked.query->text_, asked.reach));
  many.begin_array(1, static_cast<unsigned char>(asked.wanted.begin()->front()),
                   asked.wanted.size());
  for (const std::string& key : asked.wanted)
    many.append_element(1, std::string_view{key}.substr(1));
  many.send(true);
  return many;
}

void PostgresForesight::take(Asked& asked, PostgresStatement& many) {
  const std::shared_ptr<pg_result> result = std::move(many.result_);
  std::vector<Answer*> answer_of;
  answer_of.reserve(asked.wanted.size());
  for (const std::string& key : asked.wanted)
    answer_of.push_back(&(asked.known[key] = Answer{.result = result, .rows = {}}));
  if (asked.reach == sql::Reach::lock) return;
  const int number = PQnfields(result.get()) - 1;
  for (int row = 0; row < PQntuples(result.get()); ++row) {
    many.adopt(result, {row});
    FREEHOLD_ASSERT(many.next(), "a row that was counted is there");
    answer_of.at(static_cast<std::size_t>(many.integer(number)) - 1)->rows.push_back(row);
  }
}

// Locks first: what is read under them is read when they are held.
void PostgresForesight::fetch() {
  std::vector<std::pair<Asked*, PostgresStatement*>> sent;
  for (const bool are_locks : {true, false})
    for (auto& [text, asked] : asked_)
      if (!asked.wanted.empty() && (asked.reach == sql::Reach::lock) == are_locks)
        sent.emplace_back(&asked, &ask(asked));
  connection_.wait();
  for (const auto& [asked, many] : sent) {
    take(*asked, *many);
    many->reset();
    asked->wanted.clear();
  }
  has_wants_ = false;
}

}  // namespace freehold
