// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/secret.h"

#include <openssl/crypto.h>
#include <openssl/sha.h>

#include "freehold/base/random.h"
#include "freehold/identity/base64url.h"

namespace freehold::identity {

std::string make_secret() {
  std::array<std::uint8_t, 32> bytes;
  Random::current().fill(bytes);
  std::string text = to_base64url(bytes);
  OPENSSL_cleanse(bytes.data(), bytes.size());
  return text;
}

Sha256 sha256(std::string_view text) {
  Sha256 digest;
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data());
  return digest;
}

std::string sha256_text(std::string_view text) {
  return to_base64url(sha256(text));
}

bool same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace freehold::identity
