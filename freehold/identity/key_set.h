// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "freehold/base/result.h"
#include "freehold/identity/key.h"

namespace freehold::identity {

// The public keys that an issuer signs with now, each under its id, and their exchange format, a
// JWK set (RFC 7517, 5): {"keys":[{"kty":"EC","crv":"P-256","kid":…,"x":…,"y":…,…}]}. A value; no
// thread of its own.
class KeySet {
 public:
  // Keeps `key` under its thumbprint, or under the id that its issuer gave it. The later one wins.
  void add(VerifyingKey key);
  void add(std::string kid, VerifyingKey key);

  const VerifyingKey* find(std::string_view kid) const;  // nullptr: not known; valid until add()
  std::size_t size() const { return keys_.size(); }

  // The JWK set of these keys, ordered by id: the same keys always give the same text.
  std::string jwks() const;

  // Reads a JWK set of at most 64 KiB and 64 keys. Unknown members are ignored, and so are keys
  // that cannot verify ES256 (another kty, crv, alg or use; a point that is not on the curve): an
  // issuer may publish what we do not know yet. A key without `kid` gets its thumbprint. Refused:
  // malformed (no JSON, no member `keys`, too large).
  static Result<KeySet> from_jwks(std::string_view text);

  friend bool operator==(const KeySet&, const KeySet&) = default;

 private:
  std::map<std::string, VerifyingKey, std::less<>> keys_;
};

}  // namespace freehold::identity
