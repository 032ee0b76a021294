// SPDX-License-Identifier: Apache-2.0
//
// Storage for the checkpointer's thread. A checkpoint writes its pages at once and syncs them at
// its end: some megabytes, behind which the syncs of the lane's commits wait for ten milliseconds.
// Here the file is synced after every few pages, so that a commit waits for few of them.
#pragma once

#include <string>

namespace freehold {

// The name of an SQLite VFS that syncs a database's file after every 128 KiB that are written to
// it, in front of the VFS called `storage` (empty: the default one), registered at the first call.
// A sync that fails is told as a failure of the write. Any thread.
std::string stepping_storage(const std::string& storage);

}  // namespace freehold
