// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/key.h"

#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/pem.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/identity/base64url.h"
#include "freehold/identity/internal/key_file.h"
#include "freehold/identity/secret.h"

namespace freehold::identity {
namespace {

constexpr std::size_t coordinate_size = 32;  // bytes of x and of y on P-256

template <auto Free>
struct Freer {
  template <class T>
  void operator()(T* object) const {
    Free(object);
  }
};
using Bio = std::unique_ptr<BIO, Freer<BIO_free_all>>;
using Key = std::unique_ptr<EVP_PKEY, Freer<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freer<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freer<BN_free>>;

Error not_a_key() {
  ERR_clear_error();  // OpenSSL keeps what it met, for whoever asks next
  return {errors::malformed, "not a key on the curve P-256"};
}

void require(bool made, const char* what) {
  if (!made) throw std::runtime_error{std::string{"OpenSSL: "} + what};
}

// Without it OpenSSL asks for the password of an encrypted key on the terminal.
int no_password(char*, int, int, void*) {
  return 0;
}

Bio reader_of(std::string_view text) {
  Bio bio{BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))};
  require(bio != nullptr, "no memory");
  return bio;
}

std::string text_of(BIO* bio) {
  char* text = nullptr;
  const long size = BIO_get_mem_data(bio, &text);
  return {text, static_cast<std::size_t>(size)};
}

bool is_on_p256(EVP_PKEY* key) {
  std::array<char, 32> group{};
  return EVP_PKEY_is_a(key, "EC") == 1 &&
         EVP_PKEY_get_group_name(key, group.data(), group.size(), nullptr) == 1 &&
         std::string_view{group.data()} == SN_X9_62_prime256v1;
}

bool passes(EVP_PKEY* key, int (*check)(EVP_PKEY_CTX*)) {
  const KeyContext context{EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr)};
  return context && check(context.get()) == 1;
}

std::string coordinate(EVP_PKEY* key, const char* name) {
  BIGNUM* raw = nullptr;
  require(EVP_PKEY_get_bn_param(key, name, &raw) == 1, "a key without its point");
  const Number number{raw};
  std::array<std::uint8_t, coordinate_size> bytes;
  require(BN_bn2binpad(raw, bytes.data(), bytes.size()) == bytes.size(), "a point too large");
  return to_base64url(bytes);
}

// The uncompressed point that the two coordinates are (SEC 1, 2.3.3), as a key.
Key key_of_point(std::string point) {
  const KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, "EC", nullptr)};
  require(context != nullptr, "no elliptic curves");
  std::string group = SN_X9_62_prime256v1;
  std::array parameters{
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
      OSSL_PARAM_construct_end()};
  EVP_PKEY* key = nullptr;
  if (EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.data()) != 1)
    return nullptr;
  return Key{key};
}

std::string public_pem(EVP_PKEY* key) {
  const Bio bio{BIO_new(BIO_s_mem())};
  require(bio && PEM_write_bio_PUBKEY(bio.get(), key) == 1, "cannot write a public key");
  return text_of(bio.get());
}

std::string private_pem(EVP_PKEY* key) {
  const Bio bio{BIO_new(BIO_s_secmem())};  // wiped when it is freed
  require(bio && PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr,
                                               nullptr) == 1,
          "cannot write a private key");
  return text_of(bio.get());
}

// RFC 7638, 3.2: the digest of the required members in the order of their names, without spaces.
std::string thumbprint(std::string_view x, std::string_view y) {
  std::string text = R"({"crv":"P-256","kty":"EC","x":")";
  text.append(x).append(R"(","y":")").append(y).append(R"("})");
  return sha256_text(text);
}

}  // namespace

Result<VerifyingKey> VerifyingKey::from_pem(std::string_view pem) {
  const Bio bio = reader_of(pem);
  const Key key{PEM_read_bio_PUBKEY(bio.get(), nullptr, no_password, nullptr)};
  if (!key || !is_on_p256(key.get()) || !passes(key.get(), EVP_PKEY_public_check))
    return not_a_key();
  VerifyingKey made;
  made.pem_ = public_pem(key.get());
  made.x_ = coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_X);
  made.y_ = coordinate(key.get(), OSSL_PKEY_PARAM_EC_PUB_Y);
  made.kid_ = thumbprint(made.x_, made.y_);
  return made;
}

Result<VerifyingKey> VerifyingKey::from_coordinates(std::string_view x, std::string_view y) {
  const auto x_bytes = from_base64url(x), y_bytes = from_base64url(y);
  if (!x_bytes || !y_bytes || x_bytes->size() != coordinate_size ||
      y_bytes->size() != coordinate_size)
    return not_a_key();
  const Key key = key_of_point('\x04' + *x_bytes + *y_bytes);
  if (!key) return not_a_key();
  return from_pem(public_pem(key.get()));
}

SigningKey::SigningKey(std::string pem, VerifyingKey verifying_key)
    : pem_(std::move(pem)), verifying_key_(std::move(verifying_key)) {}

SigningKey::~SigningKey() {
  OPENSSL_cleanse(pem_.data(), pem_.size());
}

SigningKey& SigningKey::operator=(SigningKey&& other) noexcept {
  pem_.swap(other.pem_);  // wiped with `other`
  verifying_key_ = std::move(other.verifying_key_);
  return *this;
}

SigningKey SigningKey::generate() {
  const Key key{EVP_EC_gen("P-256")};
  require(key != nullptr, "cannot make a key");
  return from_pem(private_pem(key.get())).value();
}

Result<SigningKey> SigningKey::from_pem(std::string_view pem) {
  const Bio bio = reader_of(pem);
  const Key key{PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr)};
  if (!key || !passes(key.get(), EVP_PKEY_pairwise_check)) return not_a_key();
  FREEHOLD_TRY(auto verifying_key, VerifyingKey::from_pem(public_pem(key.get())));
  return SigningKey{private_pem(key.get()), std::move(verifying_key)};
}

Result<SigningKey> SigningKey::load(const std::filesystem::path& path) {
  FREEHOLD_TRY(auto file, internal::read_key_file(path, 077));
  auto key = from_pem(file.text);
  OPENSSL_cleanse(file.text.data(), file.text.size());
  if (!key)
    return Error{errors::keys_unusable, path.string() + ": " + std::string{key.error().detail()}};
  return key;
}

Result<> SigningKey::save(const std::filesystem::path& path) const {
  return internal::write_key_file(path, pem_, 0600);
}

}  // namespace freehold::identity
