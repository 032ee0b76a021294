// SPDX-License-Identifier: Apache-2.0
//
// How services of one system know each other, without a secret that two of them share:
//
//   PRIVATE_DIR/<service>.key   the private key, 0600, in the service's own directory
//   TRUST_DIR/<service>.pub     its public key, 0644, for everybody; written by that service alone
//
// A call carries a token of at most a minute, signed by the caller, for one audience: whoever is
// called cannot use it elsewhere. Service names are [a-z][a-z0-9_]{0,31}, checked before any path
// is made of them.
//
// Neither directory may be writable by group or others: who can write TRUST_DIR can be everybody.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "freehold/base/clock.h"
#include "freehold/base/result.h"
#include "freehold/identity/internal/key_file.h"
#include "freehold/identity/internal/token_cache.h"
#include "freehold/identity/key.h"
#include "freehold/identity/key_set.h"

namespace freehold::identity {

// Whether `name` is a service's name: [a-z][a-z0-9_]{0,31}.
bool is_service_name(std::string_view name);

// Who this service is. For one thread, the service's I/O thread, after open().
class ServiceIdentity {
 public:
  static constexpr std::chrono::seconds token_lifetime{60};
  static constexpr std::chrono::seconds renewed_before_end{20};

  // Loads the service's key pair; makes it, and the directories (0700 and 0755), at the first
  // start. Writes TRUST_DIR/<service>.pub where it is missing or not this key's, so a crash
  // between the two files is repaired by the next start. To be called before the process confines
  // itself. Several instances of a service share both directories; of those that start at one time
  // one makes the key.
  // Refused: malformed (the name), keys_unusable (a directory or file that cannot be used, or that
  // others may write to; the detail names it).
  static Result<ServiceIdentity> open(std::string service, const std::filesystem::path& private_dir,
                                      const std::filesystem::path& trust_dir);

  // A token that says "I am this service" to the service `audience`. The same one is given out
  // again until renewed_before_end. A name that is none is a bug: audiences are declared peers.
  std::string token_for(std::string_view audience_service);

  const std::string& service() const { return service_; }
  const VerifyingKey& verifying_key() const { return key_.verifying_key(); }

 private:
  struct IssuedToken {
    std::string text;
    Time expires_at;
  };

  ServiceIdentity(std::string service, SigningKey key);

  std::string service_;
  SigningKey key_;
  std::map<std::string, IssuedToken, std::less<>> tokens_;  // by audience
};

// Who calls this service. For one thread, the service's I/O thread; it has no lock.
class ServiceTrust {
 public:
  explicit ServiceTrust(std::filesystem::path trust_dir);

  // The name of the service that made this token for `own_service`, good for no longer than
  // ServiceIdentity::token_lifetime. Its public key is read from
  // TRUST_DIR, and again whenever the file has changed: a new service, a new key or a removed one
  // needs no restart. Verified tokens are remembered until they expire, at most a minute and a
  // half.
  // Refused: unauthenticated (the detail says why and repeats nothing of the token),
  // keys_unusable (others may write to TRUST_DIR or to the key file; it is not believed then).
  Result<std::string> caller_of(std::string_view token, std::string_view own_service);

 private:
  struct TrustedKey {
    KeySet keys;  // the one key
    internal::FileMark mark;
  };

  Result<const KeySet*> keys_of(const std::string& service);

  std::filesystem::path trust_dir_;
  std::map<std::string, TrustedKey, std::less<>> keys_;  // by service
  internal::TokenCache cache_{10'000};
};

}  // namespace freehold::identity
