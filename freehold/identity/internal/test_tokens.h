// SPDX-License-Identifier: Apache-2.0
//
// For this room's tests: tokens with any header and any claims, signed without the library under
// test.
#pragma once

#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "freehold/base/assert.h"
#include "freehold/identity/base64url.h"
#include "freehold/identity/key.h"

namespace freehold::identity::internal {

inline std::string base64url_of(std::string_view text) {
  return to_base64url({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

inline const unsigned char* raw(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The ES256 signature of `text`: r and s, 32 bytes each (RFC 7518, 3.4).
inline std::string es256(std::string_view text, const SigningKey& key) {
  const std::unique_ptr<BIO, decltype(&BIO_free_all)> bio{
      BIO_new_mem_buf(key.pem().data(), static_cast<int>(key.pem().size())), &BIO_free_all};
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> private_key{
      PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr), &EVP_PKEY_free};
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context{EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free};
  std::array<unsigned char, 80> der{};
  std::size_t size = der.size();
  FREEHOLD_ASSERT(
      EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, private_key.get()) == 1 &&
          EVP_DigestSign(context.get(), der.data(), &size, raw(text), text.size()) == 1,
      "a signature");
  const unsigned char* at = der.data();
  const std::unique_ptr<ECDSA_SIG, decltype(&ECDSA_SIG_free)> signature{
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size)), &ECDSA_SIG_free};
  std::array<std::uint8_t, 64> both{};
  BN_bn2binpad(ECDSA_SIG_get0_r(signature.get()), both.data(), 32);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature.get()), both.data() + 32, 32);
  return to_base64url(both);
}

inline std::string forged(std::string_view header, std::string_view claims, const SigningKey& key) {
  const std::string text = base64url_of(header) + '.' + base64url_of(claims);
  return text + '.' + es256(text, key);
}

// Signed by HMAC with any text as its secret, a public key for one.
inline std::string forged_by_hmac(std::string_view header, std::string_view claims,
                                  std::string_view secret) {
  const std::string text = base64url_of(header) + '.' + base64url_of(claims);
  std::array<std::uint8_t, 32> code{};
  HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()), raw(text), text.size(),
       code.data(), nullptr);
  return text + '.' + to_base64url(code);
}

}  // namespace freehold::identity::internal
