// SPDX-License-Identifier: Apache-2.0
//
// ES256 keys: ECDSA on the curve P-256 with SHA-256 (RFC 7518, 3.4). A key's id (`kid`) is its
// RFC 7638 thumbprint, so two keys never share one and nobody has to hand ids out.
//
// Keys are values that hold their own text. They do no I/O except where a path is given, and are
// callable from any thread as long as nobody writes to the same object.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "freehold/base/result.h"

namespace freehold::identity {

// The public half: what a verifier needs, and may be told to everybody.
class VerifyingKey {
 public:
  // From SubjectPublicKeyInfo in PEM. Refused: malformed (not a public key, or not on P-256).
  static Result<VerifyingKey> from_pem(std::string_view pem);

  // From the members `x` and `y` of a JWK (RFC 7518, 6.2.1): base64url of 32 bytes each. Refused:
  // malformed (another length, or a point that is not on the curve).
  static Result<VerifyingKey> from_coordinates(std::string_view x, std::string_view y);

  const std::string& kid() const { return kid_; }
  const std::string& pem() const { return pem_; }  // as OpenSSL writes it, whatever was read
  const std::string& x() const { return x_; }
  const std::string& y() const { return y_; }

  friend bool operator==(const VerifyingKey&, const VerifyingKey&) = default;

 private:
  VerifyingKey() = default;

  std::string kid_;
  std::string pem_;
  std::string x_;
  std::string y_;
};

// The private half, with its public one. Can be moved, not copied; wiped from memory at its end.
class SigningKey {
 public:
  // A new pair from OpenSSL's own generator: keys do not come from the random door, for a seeded
  // key would be no secret. Throws std::runtime_error when OpenSSL cannot make one.
  static SigningKey generate();

  // From an unencrypted private key in PEM (PKCS #8 or SEC 1). Refused: malformed.
  static Result<SigningKey> from_pem(std::string_view pem);

  // Reads what save() wrote. Refused: not_found (no such file), keys_unusable (it cannot be read,
  // others may read or write it, or it holds no P-256 key); a file is never repaired or replaced.
  static Result<SigningKey> load(const std::filesystem::path& path);

  // Writes the private key, mode 0600, in place of whatever is there. Atomic and durable: a crash
  // leaves the old file or the new one, and perhaps a temporary file that the next save replaces.
  // Refused: keys_unusable (the directory cannot be written).
  Result<> save(const std::filesystem::path& path) const;

  const VerifyingKey& verifying_key() const { return verifying_key_; }
  const std::string& kid() const { return verifying_key_.kid(); }
  const std::string& pem() const { return pem_; }  // a secret: never recorded, never sent

  SigningKey(SigningKey&&) = default;
  SigningKey& operator=(SigningKey&& other) noexcept;
  SigningKey(const SigningKey&) = delete;
  SigningKey& operator=(const SigningKey&) = delete;
  ~SigningKey();

 private:
  SigningKey(std::string pem, VerifyingKey verifying_key);

  std::string pem_;
  VerifyingKey verifying_key_;
};

}  // namespace freehold::identity
