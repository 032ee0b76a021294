// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/awaitable.hpp>

namespace freehold {

// Work that may wait without holding a thread. Lazy: it starts when it is awaited.
template <class T = void>
using Task = boost::asio::awaitable<T>;

}  // namespace freehold
