// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <thread>
#include <vector>

#include "freehold/database/postgres/test_listener.h"

namespace freehold {

// For tests: gives each client two server processes in turn, transaction by transaction, as a busy
// transaction pooler does.
class TransactionPooler {
 public:
  explicit TransactionPooler(std::filesystem::path server);
  TransactionPooler(const TransactionPooler&) = delete;
  TransactionPooler& operator=(const TransactionPooler&) = delete;
  ~TransactionPooler();  // its clients must have gone

  const std::filesystem::path& directory() const { return listener_.directory(); }

 private:
  void accept_all();
  void serve(int client) const;

  const std::filesystem::path server_;
  const TestListener listener_;
  std::vector<std::thread> clients_;
  std::thread thread_;
};

}  // namespace freehold
