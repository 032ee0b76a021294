// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/base/task.h"
#include "freehold/database/database.h"
#include "freehold/http/internal/answer_index.h"
#include "freehold/http/message.h"

namespace freehold::http {

class RememberedAnswers;

// The hold of one request on its idempotency key, from before its handler until the answer. While
// it lasts nobody else runs under that key; at its end without a commit the key is free again.
class KeyClaim : public std::enable_shared_from_this<KeyClaim> {
 public:
  KeyClaim(RememberedAnswers& answers, std::string scope, std::string key,
           std::uint64_t request_hash);
  ~KeyClaim();
  KeyClaim(const KeyClaim&) = delete;
  KeyClaim& operator=(const KeyClaim&) = delete;

  // What the transaction of the effect is given to hold (Database::write); null where the instance
  // knows of all answers itself.
  std::shared_ptr<AnswerHold> hold() const { return hold_; }

  // Inside that transaction, before the effect. Refused: answered_before (another instance has
  // answered this request), idempotency_key_reused (another one under its key).
  Result<> decide() const;

  // Inside the transaction of the effect: stores the answer with it, and forgets some old ones.
  // Die before that commit: neither effect nor answer exists, a repeat runs anew. Die after it:
  // both do, and the next start finds the answer.
  void remember(SqlTransaction& transaction, int status, std::string body, std::string location);

  // The write has failed with this error: if nobody knows whether it was committed, the key stays
  // taken until that is known, here or by the next start.
  void failed(const Error& error);

 private:
  friend class RememberedAnswers;
  RememberedAnswers& answers_;
  const std::string scope_;
  const std::string key_;
  const std::uint64_t hash_;  // of scope and key
  const std::uint64_t request_hash_;
  const std::shared_ptr<AnswerHold> hold_;
};

// The answers of idempotent calls. They lie in the service's database, written by the transactions
// of their effects. A key is kept for its 24 hours, come what may: one that was forgotten early
// would be decided anew, and its effect would happen twice.
//
// Where one instance has the database, answers are appended in the order of time, and which key has
// which answer is known here, in memory, rebuilt at the start: an index on the clients' random keys
// in the database would cost more than all else in the path. A key takes 18 to 23 bytes here; what
// was answered is read from the table when a repeat comes. Where `keys_max` of them are alive, a
// call with a new key is refused as overloaded until the oldest have had their time; repeats are
// answered.
//
// Where several instances share it, the database decides: the transaction of the effect holds the
// key from its beginning, and who finds it answered has no effect and gives that answer. So a
// repeat of what another instance has answered runs its handler as far as that transaction; and
// what the handler refuses before it is said only when nothing was answered under the key.
//
// Shared by all I/O threads; outlives the server.
class RememberedAnswers {
 public:
  static constexpr std::chrono::hours kept{24};

  // By default enough for 370 calls a second all day long, in up to 750 MB.
  static constexpr std::size_t keys_max_default = 32'000'000;

  explicit RememberedAnswers(Database& database, std::size_t keys_max = keys_max_default);

  // Reads the keys of the last 24 hours, or nothing in a shared database. To be called before the
  // server starts; fails as reads do.
  Result<> load();

  // For a shared database, where no call does it, every now and then: empties what holds only
  // answers older than 24 hours. Fails as writes do.
  Task<Result<>> forget_old();

  std::size_t size() const;  // keys known here

  // Takes the key for one request, or copies into `replay` the answer that a request with this
  // scope, key and hash got; then the claim is null. Waits while another request holds the key.
  // Refused: idempotency_key_reused (another request hash); overloaded. Fails with commit_unknown,
  // with deadline_exceeded while another request still holds it, and as reads do.
  Task<Result<std::shared_ptr<KeyClaim>>> claim(std::string scope, std::string key,
                                                std::uint64_t request_hash, Deadline deadline,
                                                StoredAnswer* replay);

  // After a handler has failed with this error under the claim: the answer that another instance
  // gave under the key, if there is one. An error that asks for another try is not looked behind.
  // Refused: idempotency_key_reused. Fails as reads do.
  Task<Result<std::optional<StoredAnswer>>> answered_elsewhere(std::shared_ptr<KeyClaim> claim,
                                                               Error error);

 private:
  friend class KeyClaim;
  enum class State { running, unknown };
  struct Running {
    State state = State::running;
    std::uint64_t request_hash = 0;
  };
  enum class Look { taken, busy, found };

  Result<Look> look(std::uint64_t hash, std::uint64_t request_hash, std::uint64_t& sequence);
  void committed(const KeyClaim& claim, std::uint64_t sequence);
  void failed(const KeyClaim& claim, const Error& error);
  void release(const KeyClaim& claim);
  std::uint64_t hash_of(std::string_view scope, std::string_view key) const;

  Database& database_;
  const bool is_shared_;
  const std::uint64_t seed_;  // so that nobody can aim at another caller's keys
  Watches released_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uint64_t, Running> running_;  // not committed yet
  internal::AnswerIndex index_;                         // committed
  std::uint64_t remembered_ = 0;                        // the lane's thread
};

}  // namespace freehold::http
