// SPDX-License-Identifier: Apache-2.0
//
// Passwords: argon2id (RFC 9106) with 19 MiB, 2 passes, 1 lane (OWASP's least), about 25 ms of a
// core each. What is stored is the encoded string, $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "freehold/base/result.h"
#include "freehold/base/task.h"

namespace freehold::identity {

// The encoded hash of a password, with a salt of its own. Blocks for about 25 ms and 19 MiB: for a
// PasswordPool's thread, or a program without an I/O thread. Refused: overloaded (no memory).
Result<std::string> hash_password(std::string_view password);

// Whether `candidate` is the password of this encoded hash. Blocks like hash_password. An empty
// `encoded` stands for an account that does not exist: it takes the same time and is false.
// Refused: overloaded (no memory), internal (`encoded` is not what hash_password makes).
Result<bool> verify_password(std::string_view encoded, std::string_view candidate);

// Threads of their own for passwords, which run when nobody else on the machine wants the core, and
// two bounded queues before them, one for new passwords and one for those that are verified: who
// fills this pool fills nothing else, and a flood of registrations leaves half of it to log-ins.
// The queues take turns. Each operation takes its text by value, wipes it from memory when done,
// and completes on the executor of the coroutine that awaits it. Callable from any thread; destroy
// it before the io_context of the coroutines that use it.
class PasswordPool {
 public:
  struct Options {
    // 0: a quarter of the cores, at least one, for a machine that serves others too. One that is
    // this service's own can give all its cores; each verifies some 40 passwords a second.
    std::size_t threads = 0;
    // Operations that wait for a thread, in each queue. With one thread, on a machine whose cores
    // are busy, the last of 32 waits for some three seconds.
    std::size_t queue_max = 32;
  };

  explicit PasswordPool(Options options);
  PasswordPool() : PasswordPool(Options{}) {}
  PasswordPool(const PasswordPool&) = delete;
  PasswordPool& operator=(const PasswordPool&) = delete;

  // Ends what is begun, answers what waits with shutting_down, joins.
  ~PasswordPool();

  // As the functions above. Refused besides: overloaded (the queue is full; nothing was done),
  // shutting_down.
  Task<Result<std::string>> hash(std::string password);
  Task<Result<bool>> verify(std::string encoded, std::string candidate);

  // How many operations it does at a time.
  std::size_t threads() const { return threads_.size(); }

 private:
  // Called once: with nullptr it does its work, with a code it is refused; both answer.
  using Job = std::move_only_function<void(const ErrorCode* refusal)>;

  enum Queue : std::size_t { to_hash, to_verify };

  template <class T>
  Task<Result<T>> submit(Queue queue, std::move_only_function<Result<T>()> work);
  void enqueue(Queue queue, Job job);
  bool has_job() const;  // under mutex_
  Job next_job();        // under mutex_; one of the queues is not empty
  void serve();

  const std::size_t queue_max_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::array<std::deque<Job>, 2> queues_;  // guarded by mutex_
  std::size_t turn_ = to_hash;             // whose next; guarded by mutex_
  bool stopping_ = false;                  // guarded by mutex_
  std::vector<std::thread> threads_;
};

}  // namespace freehold::identity
