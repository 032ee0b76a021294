// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <array>
#include <boost/asio/buffer.hpp>
#include <cstddef>

namespace freehold::http::internal {

// What is still to be written: head and body, which need not lie side by side.
using Pieces = std::array<boost::asio::const_buffer, 2>;
inline constexpr std::size_t joined_bytes_max = 16 * 1024;  // a shorter body is copied to its head

inline void drop_front(Pieces& pieces, std::size_t bytes) {
  for (boost::asio::const_buffer& piece : pieces) {
    const std::size_t dropped = std::min(bytes, piece.size());
    piece += dropped;
    bytes -= dropped;
  }
}

}  // namespace freehold::http::internal
