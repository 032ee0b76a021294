// SPDX-License-Identifier: Apache-2.0
//
// base64url without padding (RFC 4648, 5; RFC 7515, appendix C): how keys, digests and secrets are
// written where only text can stand.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "freehold/base/result.h"

namespace freehold::identity {

std::string to_base64url(std::span<const std::uint8_t> bytes);

// The bytes that `text` stands for. Strict: each byte string has one spelling. Refused: malformed
// (another alphabet, padding, a length that cannot be, stray bits in the last character).
Result<std::string> from_base64url(std::string_view text);

}  // namespace freehold::identity
