// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/service_identity.h"

#include <utility>

#include "freehold/base/crash_point.h"
#include "freehold/base/errors.h"
#include "freehold/identity/token.h"

namespace freehold::identity {
namespace {

std::filesystem::path public_path(const std::filesystem::path& trust_dir,
                                  std::string_view service) {
  return trust_dir / (std::string{service} + ".pub");
}

Error refusal(std::string why) {
  return {errors::unauthenticated, std::move(why)};
}

}  // namespace

bool is_service_name(std::string_view name) {
  if (name.empty() || name.size() > 32 || name[0] < 'a' || name[0] > 'z') return false;
  for (char c : name)
    if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_')) return false;
  return true;
}

ServiceIdentity::ServiceIdentity(std::string service, SigningKey key)
    : service_(std::move(service)), key_(std::move(key)) {}

// The private key is written first. Die before: nothing happened. Die between the two files: the
// key is there, nobody knows it yet, and the next start publishes it. Were the order turned round,
// others would trust a key that nobody has.
Result<ServiceIdentity> ServiceIdentity::open(std::string service,
                                              const std::filesystem::path& private_dir,
                                              const std::filesystem::path& trust_dir) {
  if (!is_service_name(service))
    return Error{errors::malformed, "a service's name is [a-z][a-z0-9_]{0,31}"};
  FREEHOLD_TRY(internal::prepare_directory(private_dir, 0700));
  FREEHOLD_TRY(internal::prepare_directory(trust_dir, 0755));

  FREEHOLD_TRY(const auto lock, internal::DirectoryLock::take(private_dir));

  const std::filesystem::path private_path = private_dir / (service + ".key");
  auto key = SigningKey::load(private_path);
  if (!key && key.error().is(errors::not_found)) {
    key = SigningKey::generate();
    FREEHOLD_TRY(key->save(private_path));
  }
  if (!key) return key.error();
  FREEHOLD_CRASH_POINT("identity.before_public_key");

  const std::filesystem::path published_path = public_path(trust_dir, service);
  const auto published = internal::read_key_file(published_path, 022);
  if (!published || published->text != key->verifying_key().pem())
    FREEHOLD_TRY(internal::write_key_file(published_path, key->verifying_key().pem(), 0644));
  return ServiceIdentity{std::move(service), *std::move(key)};
}

std::string ServiceIdentity::token_for(std::string_view audience_service) {
  FREEHOLD_ASSERT(is_service_name(audience_service), "an audience is a declared peer");
  const Time made = now();
  auto [place, is_new] = tokens_.try_emplace(std::string{audience_service});
  IssuedToken& token = place->second;
  if (is_new || made + renewed_before_end >= token.expires_at) {
    token.expires_at = made + token_lifetime;
    token.text = sign({.issuer = service_,
                       .subject = service_,
                       .audience = std::string{audience_service},
                       .issued_at = made,
                       .expires_at = token.expires_at},
                      key_);
  }
  return token.text;
}

ServiceTrust::ServiceTrust(std::filesystem::path trust_dir) : trust_dir_(std::move(trust_dir)) {}

Result<std::string> ServiceTrust::caller_of(std::string_view token, std::string_view own_service) {
  if (token.size() > token_size_max) return refusal("it is too large");
  const Sha256 digest = sha256(token);
  if (const Claims* known = cache_.find(digest)) {
    if (known->audience != own_service) return refusal("it is made for another audience");
    return known->issuer;
  }

  FREEHOLD_TRY(const auto origin, claimed_origin(token));
  if (!is_service_name(origin.issuer)) return refusal("its issuer is no service's name");
  FREEHOLD_TRY(const KeySet* keys, keys_of(origin.issuer));
  FREEHOLD_TRY(auto claims, verify(token, *keys,
                                   {.issuer = origin.issuer,
                                    .audience = own_service,
                                    .lifetime_max = ServiceIdentity::token_lifetime}));
  std::string caller = claims.issuer;
  cache_.keep(digest, std::move(claims));
  return caller;
}

// The mark is asked for each time: against the cost of a signature it is nothing, and a key that
// was taken away is believed no more.
Result<const KeySet*> ServiceTrust::keys_of(const std::string& service) {
  FREEHOLD_TRY(internal::check_directory(trust_dir_));
  const std::filesystem::path path = public_path(trust_dir_, service);
  const auto mark = internal::mark_of_key_file(path);
  const auto known = keys_.find(service);
  if (mark && known != keys_.end() && known->second.mark == *mark) return &known->second.keys;
  if (known != keys_.end()) keys_.erase(known);

  const auto file = internal::read_key_file(path, 022);
  if (!file && file.error().is(errors::not_found))
    return refusal("its issuer has no key in the trust directory");
  if (!file) return file.error();
  auto key = VerifyingKey::from_pem(file->text);
  if (!key)
    return Error{errors::keys_unusable, path.string() + ": " + std::string{key.error().detail()}};
  TrustedKey trusted{.keys = {}, .mark = file->mark};
  trusted.keys.add(*std::move(key));
  return &keys_.emplace(service, std::move(trusted)).first->second.keys;
}

}  // namespace freehold::identity
