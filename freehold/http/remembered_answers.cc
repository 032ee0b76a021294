// SPDX-License-Identifier: Apache-2.0
#include "freehold/http/remembered_answers.h"

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

}  // namespace

KeyClaim::KeyClaim(RememberedAnswers& answers, std::string scope, std::string key,
                   std::uint64_t request_hash)
    : answers_(answers),
      scope_(std::move(scope)),
      key_(std::move(key)),
      hash_(answers.hash_of(scope_, key_)),
      request_hash_(request_hash) {}

KeyClaim::~KeyClaim() {
  answers_.release(*this);
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
  transaction.on_commit([self = shared_from_this(), sequence, at = answer.at] {
    self->answers_.committed(*self, sequence, at);
  });
  if (++answers_.remembered_ % writes_between_forgetting == 0)
    transaction.books().forget_answers(answer.at - RememberedAnswers::kept, forgotten_at_once);
}

void KeyClaim::failed(const Error& error) {
  answers_.failed(*this, error);
}

RememberedAnswers::RememberedAnswers(Database& database)
    : database_(database), seed_(Random::current().bits()) {}

Result<> RememberedAnswers::load() {
  const Time since = now() - kept;
  std::uint64_t sequence = 0;
  for (bool more = true; more;) {
    std::vector<StoredAnswer> page;
    FREEHOLD_TRY(database_.read_now([&](SqlTransaction& transaction) {
      page = transaction.books().answers_after(sequence, since, page_size);
    }));
    const std::scoped_lock lock{mutex_};
    for (const StoredAnswer& answer : page)
      learn(hash_of(answer.scope, answer.key),
            {State::committed, answer.request_hash, answer.sequence, answer.at});
    more = page.size() == page_size;
    if (more) sequence = page.back().sequence;
  }
  return {};
}

std::size_t RememberedAnswers::size() const {
  const std::scoped_lock lock{mutex_};
  return entries_.size();
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
    *replay = *std::move(answer);
    co_return std::shared_ptr<KeyClaim>{};
  }
  co_return Error{errors::internal, "an idempotency key's answer is gone before its time"};
}

Result<RememberedAnswers::Look> RememberedAnswers::look(std::uint64_t hash,
                                                        std::uint64_t request_hash,
                                                        std::uint64_t& sequence) {
  const std::scoped_lock lock{mutex_};
  const auto [place, is_new] = entries_.try_emplace(hash);
  Entry& entry = place->second;
  const bool expired = entry.state == State::committed && entry.at < now() - kept;
  if (is_new || expired) {
    entry = {State::running, request_hash, 0, {}};
    return Look::taken;
  }
  if (entry.request_hash != request_hash) return errors::idempotency_key_reused;
  if (entry.state == State::unknown) return errors::commit_unknown;
  if (entry.state == State::running) return Look::busy;
  sequence = entry.sequence;
  return Look::found;
}

void RememberedAnswers::committed(const KeyClaim& claim, std::uint64_t sequence, Time at) {
  {
    const std::scoped_lock lock{mutex_};
    learn(claim.hash_, {State::committed, claim.request_hash_, sequence, at});
  }
  released_.changed(std::to_string(claim.hash_));
}

void RememberedAnswers::failed(const KeyClaim& claim, const Error& error) {
  if (!error.is(errors::commit_unknown)) return;
  {
    const std::scoped_lock lock{mutex_};
    entries_[claim.hash_].state = State::unknown;
  }
  released_.changed(std::to_string(claim.hash_));
}

// A claim that ends while its key is still running has had no effect.
void RememberedAnswers::release(const KeyClaim& claim) {
  {
    const std::scoped_lock lock{mutex_};
    const auto place = entries_.find(claim.hash_);
    if (place == entries_.end() || place->second.state != State::running) return;
    entries_.erase(place);
  }
  released_.changed(std::to_string(claim.hash_));
}

// Under the mutex. Forgets what is too old, from the oldest on.
void RememberedAnswers::learn(std::uint64_t hash, const Entry& entry) {
  entries_[hash] = entry;
  by_age_.emplace_back(entry.at, hash);
  while (by_age_.front().first < entry.at - kept) {
    const auto place = entries_.find(by_age_.front().second);
    if (place != entries_.end() && place->second.at == by_age_.front().first) entries_.erase(place);
    by_age_.pop_front();
  }
}

std::uint64_t RememberedAnswers::hash_of(std::string_view scope, std::string_view key) const {
  return fnv1a(key, fnv1a("\n", fnv1a(scope, seed_)));
}

}  // namespace freehold::http
