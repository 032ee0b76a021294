// SPDX-License-Identifier: Apache-2.0
//
// Storage for the one connection that writes. SQLite writes each page of a commit to the
// write-ahead log with two system calls, then syncs; here these writes wait in memory until the
// sync, and go to the file as one. Nothing is weakened by it: a commit shows its pages to others
// only after that sync has returned, and what this connection reads itself is written first.
#pragma once

#include <string>

namespace freehold {

// The name of an SQLite VFS that gathers in front of the one called `storage` (empty: the default
// one), registered at the first call. Any thread.
std::string gathering_storage(const std::string& storage);

}  // namespace freehold
