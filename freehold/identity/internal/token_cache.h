// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstring>
#include <list>
#include <unordered_map>
#include <utility>

#include "freehold/identity/secret.h"
#include "freehold/identity/token.h"

namespace freehold::identity::internal {

// The claims of tokens that were verified, by the SHA-256 of the whole token: who would be taken
// for another needs a collision. Holds at most `capacity` tokens; the one not used for longest
// goes first. For one thread.
class TokenCache {
 public:
  explicit TokenCache(std::size_t capacity) : capacity_(capacity) {}

  // The claims kept for this token, or nullptr. Never those of an expired one: they are dropped.
  // Valid until the next call.
  const Claims* find(const Sha256& token);

  void keep(const Sha256& token, Claims claims);
  void clear();
  std::size_t size() const { return entries_.size(); }

 private:
  using Entry = std::pair<Sha256, Claims>;
  struct Hash {  // a digest is its own hash
    std::size_t operator()(const Sha256& digest) const {
      std::size_t head;
      std::memcpy(&head, digest.data(), sizeof head);
      return head;
    }
  };

  std::size_t capacity_;
  std::list<Entry> entries_;  // most recently used first
  std::unordered_map<Sha256, std::list<Entry>::iterator, Hash> index_;
};

}  // namespace freehold::identity::internal
