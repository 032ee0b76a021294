// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/remembered_answers.h"

#include <algorithm>

#include "freehold/base/errors.h"
#include "freehold/base/hash.h"
#include "freehold/base/planted_bug.h"
#include "freehold/base/random.h"

namespace freehold::http {
namespace {

constexpr std::size_t page_size = 1000;
// Old rows go in the transactions of new ones: some every now and then, twice as many as came.
constexpr std::uint64_t writes_between_forgetting = 64;
constexpr std::size_t forgotten_at_once = 128;
// A row outlives its key here, so that who has just found the key finds the row.
constexpr std::chrono::minutes row_outlives_key{1};

// The sequence of the oldest answer that still counts.
std::uint64_t oldest_sequence() {
  const Time oldest = std::max(now() - RememberedAnswers::kept, Time{});
  return static_cast<std::uint64_t>(oldest.time_since_epoch().count());
}

// What a person or program that tries again with the same key is told anew.
bool asks_for_another_try(const Error& error) {
  const Kind kind = error.kind();
  return kind == Kind::unavailable || kind == Kind::indeterminate || kind == Kind::internal;
}

}  // namespace

KeyClaim::KeyClaim(RememberedAnswers& answers, std::string scope, std::string key,
                   std::uint64_t request_hash)
    : answers_(answers),
      scope_(std::move(scope)),
      key_(std::move(key)),
      hash_(answers.hash_of(scope_, key_)),
      request_hash_(request_hash),
      hold_(answers.is_shared_ ? std::make_shared<AnswerHold>(scope_, key_, RememberedAnswers::kept)
                               : nullptr) {}

KeyClaim::~KeyClaim() {
  answers_.release(*this);
}

Result<> KeyClaim::decide() const {
  if (!hold_ || !hold_->answer) return {};
  if (hold_->answer->request_hash != request_hash_) return errors::idempotency_key_reused;
  return errors::answered_before;
}

void KeyClaim::remember(SqlTransaction& transaction, int status, std::string body,
                        std::string location) {
  if (FREEHOLD_PLANTED_BUG("answers.not_stored")) return;
  const StoredAnswer answer{.scope = scope_,
                            .key = key_,
                            .request_hash = request_hash_,
                            .status = status,
                            .body = std::move(body),
                            .location = std::move(location),
                            .at = now()};
  const std::uint64_t sequence = transaction.books().remember_answer(answer);
  transaction.on_commit(
      [self = shared_from_this(), sequence] { self->answers_.committed(*self, sequence); });
  if (answers_.is_shared_) return;  // see forget_old
  if (++answers_.remembered_ % writes_between_forgetting == 0)
    transaction.books().forget_answers(RememberedAnswers::kept + row_outlives_key,
                                       forgotten_at_once);
}

void KeyClaim::failed(const Error& error) {
  answers_.failed(*this, error);
}

RememberedAnswers::RememberedAnswers(Database& database, std::size_t keys_max)
    : database_(database),
      is_shared_(database.is_shared()),
      seed_(Random::current().bits()),
      index_(keys_max) {}

Result<> RememberedAnswers::load() {
  if (is_shared_) return {};
  const std::uint64_t oldest = oldest_sequence();
  std::uint64_t sequence = oldest > 0 ? oldest - 1 : 0;
  for (bool more = true; more;) {
    std::vector<AnswerKey> page;
    FREEHOLD_TRY(database_.read_now([&](SqlTransaction& transaction) {
      page = transaction.books().answer_keys_after(sequence, page_size);
    }));
    const std::scoped_lock lock{mutex_};
    for (const AnswerKey& answer : page)
      index_.add(hash_of(answer.scope, answer.key), answer.sequence, oldest);
    more = page.size() == page_size;
    if (more) sequence = page.back().sequence;
  }
  return {};
}

// In a batch of its own: whoever asks under any key waits for the end of the one that empties a
// part.
Task<Result<>> RememberedAnswers::forget_old() {
  co_return co_await database_.write_alone([](SqlTransaction& transaction) {
    transaction.books().forget_answers(kept + row_outlives_key, forgotten_at_once);
  });
}

std::size_t RememberedAnswers::size() const {
  const std::scoped_lock lock{mutex_};
  return index_.size();
}

Task<Result<std::shared_ptr<KeyClaim>>> RememberedAnswers::claim(std::string scope, std::string key,
                                                                 std::uint64_t request_hash,
                                                                 Deadline deadline,
                                                                 StoredAnswer* replay) {
  const std::uint64_t hash = hash_of(scope, key);
  std::uint64_t sequence = 0;
  FREEHOLD_CO_TRY(Look seen, look(hash, request_hash, sequence));
  while (seen == Look::busy) {
    auto watch = released_.begin(std::to_string(hash));  // from here on no release is missed
    FREEHOLD_CO_TRY(seen, look(hash, request_hash, sequence));
    if (seen != Look::busy) break;
    if (SteadyClock::now() >= deadline)
      co_return Error{errors::deadline_exceeded, "another request with this key still runs"};
    co_await watch.next(deadline);
  }
  if (seen == Look::taken)
    co_return std::make_shared<KeyClaim>(*this, std::move(scope), std::move(key), request_hash);
  FREEHOLD_CO_TRY(auto answer, co_await database_.read([sequence](SqlTransaction& transaction) {
    return transaction.books().answer(sequence);
  }));
  if (answer && answer->scope == scope && answer->key == key) {
    if (answer->request_hash != request_hash) co_return errors::idempotency_key_reused;
    *replay = *std::move(answer);
    co_return std::shared_ptr<KeyClaim>{};
  }
  co_return Error{errors::internal, "an idempotency key's answer is gone before its time"};
}

Task<Result<std::optional<StoredAnswer>>> RememberedAnswers::answered_elsewhere(
    std::shared_ptr<KeyClaim> claim, Error error) {
  if (!is_shared_) co_return std::nullopt;
  if (!error.is(errors::answered_before)) {
    if (asks_for_another_try(error)) co_return std::nullopt;
    FREEHOLD_CO_TRY(co_await database_.read([hold = claim->hold_](SqlTransaction& transaction) {
      transaction.books().find_answer(*hold);
    }));
  }
  const Result<> decided = claim->decide();
  if (!decided && decided.error().is(errors::idempotency_key_reused)) co_return decided.error();
  co_return claim->hold_->answer;
}

Result<RememberedAnswers::Look> RememberedAnswers::look(std::uint64_t hash,
                                                        std::uint64_t request_hash,
                                                        std::uint64_t& sequence) {
  const std::scoped_lock lock{mutex_};
  const auto running = running_.find(hash);
  if (running != running_.end()) {
    if (running->second.request_hash != request_hash) return errors::idempotency_key_reused;
    if (running->second.state == State::unknown) return errors::commit_unknown;
    return Look::busy;
  }
  if (!is_shared_) {
    const std::uint64_t oldest = oldest_sequence();
    sequence = index_.find(hash, oldest);
    if (sequence != 0) return Look::found;
    if (!index_.has_room(hash, oldest))
      return Error{errors::overloaded, "no place for one more idempotency key"};
  }
  running_.emplace(hash, Running{State::running, request_hash});
  return Look::taken;
}

void RememberedAnswers::committed(const KeyClaim& claim, std::uint64_t sequence) {
  {
    const std::scoped_lock lock{mutex_};
    if (!is_shared_) index_.add(claim.hash_, sequence, oldest_sequence());
    running_.erase(claim.hash_);
  }
  released_.changed(std::to_string(claim.hash_));
}

void RememberedAnswers::failed(const KeyClaim& claim, const Error& error) {
  if (!error.is(errors::commit_unknown)) return;
  {
    const std::scoped_lock lock{mutex_};
    const auto place = running_.find(claim.hash_);
    if (place != running_.end()) place->second.state = State::unknown;
  }
  released_.changed(std::to_string(claim.hash_));
}

// A claim that ends and was not committed has had no effect: an unknown commit holds the claim, in
// what would follow it, until it is known.
void RememberedAnswers::release(const KeyClaim& claim) {
  {
    const std::scoped_lock lock{mutex_};
    const auto place = running_.find(claim.hash_);
    if (place == running_.end()) return;
    running_.erase(place);
  }
  released_.changed(std::to_string(claim.hash_));
}

std::uint64_t RememberedAnswers::hash_of(std::string_view scope, std::string_view key) const {
  return fnv1a(key, fnv1a("\n", fnv1a(scope, seed_)));
}

}  // namespace freehold::http
