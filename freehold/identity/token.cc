// SPDX-License-Identifier: Apache-2.0
//
// The one file that knows libjwt (docs/decisions/0002-jwt-library.md). The library takes the
// algorithm from the token, so nothing reaches it with a key before read_header has pinned ES256.
#include "freehold/identity/token.h"

#include <jwt.h>

#include <boost/describe.hpp>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <stdexcept>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/schema/json.h"

namespace freehold::identity {
namespace {

constexpr std::string_view algorithm = "ES256";
constexpr std::size_t signature_size = 86;             // base64url of 64 bytes
constexpr std::int64_t last_second = 253'402'300'799;  // of the year 9999

struct Header {
  std::string alg;
  std::string kid;
  std::optional<RawJson> crit;
};
BOOST_DESCRIBE_STRUCT(Header, (), (alg, kid, crit))

struct Payload {
  std::string iss;
  std::string sub;
  std::string aud;
  std::optional<std::vector<std::string>> roles;
  std::int64_t iat = 0;
  std::optional<std::int64_t> nbf;
  std::int64_t exp = 0;
  std::optional<std::string> jti;
};
BOOST_DESCRIBE_STRUCT(Payload, (), (iss, sub, aud, roles, iat, nbf, exp, jti))

struct Issuer {
  std::string iss;
};
BOOST_DESCRIBE_STRUCT(Issuer, (), (iss))

struct FreeToken {
  void operator()(jwt_t* token) const { jwt_free(token); }
};
struct FreeText {
  void operator()(char* text) const { std::free(text); }  // NOLINT: as libjwt allocates
};
using Token = std::unique_ptr<jwt_t, FreeToken>;
using Text = std::unique_ptr<char, FreeText>;

Error refusal(std::string why) {
  return {errors::unauthenticated, std::move(why)};
}

std::int64_t seconds_of(Time time) {
  return std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
}

Time time_of(std::int64_t seconds) {
  return Time{std::chrono::seconds{seconds}};
}

// Three parts of base64url, the last one as long as an ES256 signature (RFC 7515, 7.1): anything
// else never reaches a parser.
bool has_form_of_token(std::string_view token) {
  if (token.size() > token_size_max) return false;
  const std::size_t first = token.find('.'), last = token.rfind('.');
  if (first == token.npos || first == last || first == 0 || last == first + 1) return false;
  if (token.size() - last - 1 != signature_size) return false;
  std::size_t dots = 0;
  for (char c : token) {
    const bool in_alphabet = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                             (c >= '0' && c <= '9') || c == '-' || c == '_';
    if (c == '.' ? ++dots > 2 : !in_alphabet) return false;
  }
  return true;
}

// Without a key libjwt only reads; with one it verifies, by the algorithm of the header.
Token decode(const std::string& token, std::string_view key) {
  jwt_t* decoded = nullptr;
  const int failed =
      jwt_decode(&decoded, token.c_str(),
                 key.empty() ? nullptr : reinterpret_cast<const unsigned char*>(key.data()),
                 static_cast<int>(key.size()));
  return failed ? nullptr : Token{decoded};
}

struct Unverified {
  Header header;
  Token token;
};

Result<Unverified> read_header(const std::string& token) {
  if (!has_form_of_token(token)) return refusal("it is no signed token");
  Token decoded = decode(token, {});
  if (!decoded) return refusal("its header or claims are not JSON");
  const Text text{jwt_get_headers_json(decoded.get(), nullptr)};
  if (!text) return refusal("its header is no object");
  auto header = read_json<Header>(text.get(), Strictness::tolerant);
  if (!header) return refusal("its header: " + std::string{header.error().detail()});
  if (header->alg != algorithm) return refusal("it is not signed with ES256");
  // RFC 7515, 4.1.11: extensions that must be understood, and we understand none.
  if (header->crit) return refusal("its header has critical extensions");
  return Unverified{*std::move(header), std::move(decoded)};
}

template <class T>
Result<T> read_claims(jwt_t* token) {
  const Text text{jwt_get_grants_json(token, nullptr)};
  if (!text) return refusal("its claims are no object");
  auto claims = read_json<T>(text.get(), Strictness::tolerant);
  if (!claims) return refusal("its claims: " + std::string{claims.error().detail()});
  return claims;
}

bool is_time(std::int64_t seconds) {
  return seconds >= 0 && seconds <= last_second;
}

Result<> check(const Payload& payload, const Expected& expected) {
  if (payload.iss != expected.issuer) return refusal("it comes from another issuer");
  if (payload.aud != expected.audience) return refusal("it is made for another audience");
  const std::int64_t not_before = payload.nbf.value_or(payload.iat);
  if (!is_time(payload.iat) || !is_time(payload.exp) || !is_time(not_before))
    return refusal("its times are out of range");
  const Time latest_begin = now() + clock_skew_max;
  if (time_of(payload.iat) > latest_begin) return refusal("it is issued in the future");
  const auto lifetime = std::chrono::seconds{payload.exp - payload.iat};
  const bool ends_late = time_of(payload.exp) > latest_begin + expected.lifetime_max;
  if (ends_late || lifetime > expected.lifetime_max) return refusal("it is good for too long");
  if (time_of(not_before) > latest_begin) return refusal("it is not in force yet");
  return {};
}

}  // namespace

bool Claims::has_expired() const {
  return now() >= expires_at + clock_skew_max;
}

std::string sign(const Claims& claims, const SigningKey& key) {
  const Payload payload{
      .iss = claims.issuer,
      .sub = claims.subject,
      .aud = claims.audience,
      .roles = claims.roles,
      .iat = seconds_of(claims.issued_at),
      .nbf = std::nullopt,
      .exp = seconds_of(claims.expires_at),
      .jti = claims.id.empty() ? std::nullopt : std::optional{claims.id},
  };
  jwt_t* raw = nullptr;
  if (jwt_new(&raw) != 0) throw std::runtime_error{"libjwt: no memory"};
  const Token token{raw};
  FREEHOLD_ASSERT(jwt_add_grants_json(raw, to_json(payload).c_str()) == 0 &&
                      jwt_add_header(raw, "kid", key.kid().c_str()) == 0,
                  "claims that are no JSON");
  const auto* pem = reinterpret_cast<const unsigned char*>(key.pem().data());
  if (jwt_set_alg(raw, JWT_ALG_ES256, pem, static_cast<int>(key.pem().size())) != 0)
    throw std::runtime_error{"libjwt: cannot take the key"};
  const Text text{jwt_encode_str(raw)};
  if (!text) throw std::runtime_error{"libjwt: cannot sign"};
  std::string made = text.get();
  FREEHOLD_ASSERT(made.size() <= token_size_max, "a token larger than anybody takes");
  return made;
}

Result<Claims> verify(std::string_view token, const KeySet& keys, const Expected& expected) {
  const std::string text{token};
  FREEHOLD_TRY(const auto unverified, read_header(text));
  const VerifyingKey* key = keys.find(unverified.header.kid);
  if (!key) return refusal("it is signed with a key that is not known");
  const Token verified = decode(text, key->pem());
  if (!verified) return refusal("its signature is wrong");
  FREEHOLD_ASSERT(jwt_get_alg(verified.get()) == JWT_ALG_ES256, "verified with another algorithm");
  FREEHOLD_TRY(auto payload, read_claims<Payload>(verified.get()));
  FREEHOLD_TRY(check(payload, expected));
  Claims claims{
      .issuer = std::move(payload.iss),
      .subject = std::move(payload.sub),
      .audience = std::move(payload.aud),
      .roles = std::move(payload.roles).value_or(std::vector<std::string>{}),
      .issued_at = time_of(payload.iat),
      .expires_at = time_of(payload.exp),
      .id = std::move(payload.jti).value_or(std::string{}),
  };
  if (claims.has_expired()) return refusal("it has expired");
  return claims;
}

Result<Origin> claimed_origin(std::string_view token) {
  FREEHOLD_TRY(auto unverified, read_header(std::string{token}));
  FREEHOLD_TRY(auto claims, read_claims<Issuer>(unverified.token.get()));
  return Origin{.kid = std::move(unverified.header.kid), .issuer = std::move(claims.iss)};
}

}  // namespace freehold::identity
