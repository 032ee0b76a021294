// SPDX-License-Identifier: Apache-2.0
#include "freehold/service/io_threads.h"

namespace freehold {

IoThreads::IoThreads(std::size_t count) : running_(count) {
  for (Running& each : running_) each.thread = std::thread{[&each] { each.context.run(); }};
}

IoThreads::~IoThreads() {
  stop();
}

std::vector<boost::asio::any_io_executor> IoThreads::executors() {
  std::vector<boost::asio::any_io_executor> executors;
  for (Running& each : running_) executors.emplace_back(each.context.get_executor());
  return executors;
}

void IoThreads::stop() {
  for (Running& each : running_) each.context.stop();
  for (Running& each : running_)
    if (each.thread.joinable()) each.thread.join();
}

}  // namespace freehold
