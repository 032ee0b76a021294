// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/secret.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <memory>

#include "freehold/base/assert.h"
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

// With the algorithm fetched once: SHA256() looks it up at each call, which costs more than the
// digest of a token.
Sha256 sha256(std::string_view text) {
  static EVP_MD* const algorithm = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{
      EVP_MD_CTX_new(), EVP_MD_CTX_free};
  Sha256 digest;
  const bool is_done = EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
                       EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1 &&
                       EVP_DigestFinal_ex(context.get(), digest.data(), nullptr) == 1;
  FREEHOLD_ASSERT(is_done, "OpenSSL has no SHA-256");
  return digest;
}

std::string sha256_text(std::string_view text) {
  return to_base64url(sha256(text));
}

bool same_secret(std::string_view one, std::string_view other) {
  return one.size() == other.size() && CRYPTO_memcmp(one.data(), other.data(), one.size()) == 0;
}

}  // namespace freehold::identity
