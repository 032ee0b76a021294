// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <list>
#include <thread>
#include <vector>

namespace freehold {

// Threads that serve requests beside a service's first one, a context each. Made after the process
// has confined itself; ended by stop(), or with the process.
class IoThreads {
 public:
  explicit IoThreads(std::size_t count);
  IoThreads(const IoThreads&) = delete;
  IoThreads& operator=(const IoThreads&) = delete;
  ~IoThreads();  // stop()

  std::vector<boost::asio::any_io_executor> executors();

  // Ends them; what has not run by then does not run any more.
  void stop();

 private:
  struct Running {
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        context.get_executor()};
    std::thread thread;
  };
  std::list<Running> running_;
};

}  // namespace freehold
