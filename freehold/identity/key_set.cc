// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/key_set.h"

#include <boost/describe.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "freehold/base/errors.h"
#include "freehold/schema/json.h"

namespace freehold::identity {
namespace {

constexpr std::size_t document_size_max = 64 * 1024;  // bytes
constexpr std::size_t keys_max = 64;

// A key of the set as we write it and as far as we read it (RFC 7517, 4; RFC 7518, 6.2.1).
struct Jwk {
  std::string kty;
  std::optional<std::string> use;
  std::optional<std::string> alg;
  std::optional<std::string> kid;
  std::optional<std::string> crv;
  std::optional<std::string> x;
  std::optional<std::string> y;
};
BOOST_DESCRIBE_STRUCT(Jwk, (), (kty, use, alg, kid, crv, x, y))

struct WrittenSet {
  std::vector<Jwk> keys;
};
BOOST_DESCRIBE_STRUCT(WrittenSet, (), (keys))

// Each key is read by itself, so that one that we cannot read costs no other.
struct ReadSet {
  std::vector<RawJson> keys;
};
BOOST_DESCRIBE_STRUCT(ReadSet, (), (keys))

bool verifies_es256(const Jwk& jwk) {
  return jwk.kty == "EC" && jwk.crv == "P-256" && jwk.x && jwk.y &&
         jwk.use.value_or("sig") == "sig" && jwk.alg.value_or("ES256") == "ES256";
}

}  // namespace

void KeySet::add(VerifyingKey key) {
  std::string kid = key.kid();
  add(std::move(kid), std::move(key));
}

void KeySet::add(std::string kid, VerifyingKey key) {
  keys_.insert_or_assign(std::move(kid), std::move(key));
}

const VerifyingKey* KeySet::find(std::string_view kid) const {
  const auto found = keys_.find(kid);
  return found == keys_.end() ? nullptr : &found->second;
}

std::string KeySet::jwks() const {
  WrittenSet set;
  for (const auto& [kid, key] : keys_)
    set.keys.push_back({.kty = "EC",
                        .use = "sig",
                        .alg = "ES256",
                        .kid = kid,
                        .crv = "P-256",
                        .x = key.x(),
                        .y = key.y()});
  return to_json(set);
}

Result<KeySet> KeySet::from_jwks(std::string_view text) {
  if (text.size() > document_size_max) return Error{errors::malformed, "a JWK set too large"};
  FREEHOLD_TRY(const auto read, read_json<ReadSet>(text, Strictness::tolerant));
  if (read.keys.size() > keys_max) return Error{errors::malformed, "a JWK set of too many keys"};
  KeySet set;
  for (const RawJson& member : read.keys) {
    const auto jwk = read_json<Jwk>(member.text, Strictness::tolerant);
    if (!jwk || !verifies_es256(*jwk)) continue;
    auto key = VerifyingKey::from_coordinates(*jwk->x, *jwk->y);
    if (!key) continue;
    std::string kid = jwk->kid.value_or(key->kid());
    set.add(std::move(kid), *std::move(key));
  }
  return set;
}

}  // namespace freehold::identity
