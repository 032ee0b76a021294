// SPDX-License-Identifier: Apache-2.0
//
// Opaque secrets (refresh tokens, one-time links): the holder has the text, the database only its
// digest. A secret has 256 random bits, so a plain digest of it cannot be guessed back; passwords
// cannot say that and belong to password.h. Every function is callable from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace freehold::identity {

using Sha256 = std::array<std::uint8_t, 32>;

// 32 random bytes as base64url: 43 characters.
std::string make_secret();

Sha256 sha256(std::string_view text);
std::string sha256_text(std::string_view text);  // as base64url, 43 characters: what is stored

// Whether two texts are equal, in a time that depends on their lengths alone.
bool same_secret(std::string_view one, std::string_view other);

}  // namespace freehold::identity
