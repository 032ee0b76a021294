// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/internal/token_cache.h"

namespace freehold::identity::internal {

const Claims* TokenCache::find(const Sha256& token) {
  const auto found = index_.find(token);
  if (found == index_.end()) return nullptr;
  const auto entry = found->second;
  if (entry->second.has_expired()) {
    index_.erase(found);
    entries_.erase(entry);
    return nullptr;
  }
  entries_.splice(entries_.begin(), entries_, entry);
  return &entry->second;
}

void TokenCache::keep(const Sha256& token, Claims claims) {
  if (capacity_ == 0 || index_.contains(token)) return;
  if (entries_.size() == capacity_) {
    index_.erase(entries_.back().first);
    entries_.pop_back();
  }
  entries_.emplace_front(token, std::move(claims));
  index_.emplace(token, entries_.begin());
}

void TokenCache::clear() {
  index_.clear();
  entries_.clear();
}

}  // namespace freehold::identity::internal
