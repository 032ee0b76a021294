// SPDX-License-Identifier: Apache-2.0
#include "freehold/identity/password.h"

#include <argon2.h>
#include <openssl/crypto.h>
#include <sched.h>

#include <algorithm>
#include <array>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <utility>

#include "freehold/base/errors.h"
#include "freehold/base/memory.h"
#include "freehold/base/random.h"

namespace freehold::identity {
namespace {

namespace asio = boost::asio;

constexpr std::uint32_t passes = 2;
constexpr std::uint32_t memory_kib = 19 * 1024;
constexpr std::uint32_t lanes = 1;
constexpr std::size_t salt_size = 16;  // bytes
constexpr std::size_t hash_size = 32;  // bytes
constexpr std::chrono::seconds memory_kept{1};

Error argon2_said(int code) {
  if (code == ARGON2_MEMORY_ALLOCATION_ERROR)
    return {errors::overloaded, "no memory to hash a password"};
  return {errors::internal, std::string{"argon2: "} + argon2_error_message(code)};
}

// A text that leaves no trace: taken out of its source and wiped at its end. A moved std::string
// is not enough, a short one stays behind where it was.
class Secret {
 public:
  explicit Secret(std::string& source) : text_(source) { wipe(source); }
  Secret(Secret&& other) noexcept : text_(std::move(other.text_)) { wipe(other.text_); }
  Secret& operator=(Secret&&) = delete;
  ~Secret() { wipe(text_); }
  std::string_view text() const { return text_; }

 private:
  static void wipe(std::string& text) {
    text.resize(text.capacity());
    OPENSSL_cleanse(text.data(), text.size());
    text.clear();
  }

  std::string text_;
};

// A hash takes a core for 25 ms, and who waits for a core meanwhile is an order. An idle thread
// gives way at once to whatever wakes up beside it; niceness, which only shares out time, gave way
// later (nice 19: order p99 2.2 times that without log-ins). It still gets a core whenever the
// others pause. It needs no privilege; where the system refuses it, the thread runs as any other.
void give_way() {
  const sched_param none{};
  (void)sched_setscheduler(0, SCHED_IDLE, &none);
}

}  // namespace

Result<std::string> hash_password(std::string_view password) {
  std::array<std::uint8_t, salt_size> salt;
  Random::current().fill(salt);
  std::string encoded(argon2_encodedlen(passes, memory_kib, lanes, salt_size, hash_size, Argon2_id),
                      '\0');
  const int code =
      argon2id_hash_encoded(passes, memory_kib, lanes, password.data(), password.size(),
                            salt.data(), salt.size(), hash_size, encoded.data(), encoded.size());
  if (code != ARGON2_OK) return argon2_said(code);
  encoded.resize(encoded.find('\0'));
  return encoded;
}

Result<bool> verify_password(std::string_view encoded, std::string_view candidate) {
  if (encoded.empty()) {
    FREEHOLD_TRY(hash_password(candidate));
    return false;
  }
  const int code =
      argon2id_verify(std::string{encoded}.c_str(), candidate.data(), candidate.size());
  if (code == ARGON2_OK) return true;
  if (code == ARGON2_VERIFY_MISMATCH) return false;
  return argon2_said(code);
}

// To give way is not enough. The kernel puts many a thread that wakes up behind one that runs, and
// a core with nothing to do fetches it from there; a core that hashes always has something to do,
// and fetches nobody. So few cores hash: at half of the peak rate order p99 was 1.9 times that
// without log-ins while two of four did, and 1.3 times while one did, as beside a thread that only
// counts in the idle class.
PasswordPool::PasswordPool(Options options) : queue_max_(options.queue_max) {
  const std::size_t threads =
      options.threads > 0 ? options.threads : std::max(1U, std::thread::hardware_concurrency() / 4);
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { serve(); });
}

PasswordPool::~PasswordPool() {
  std::array<std::deque<Job>, 2> waiting;
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
    waiting.swap(queues_);
  }
  wake_.notify_all();
  for (std::deque<Job>& queue : waiting)
    for (Job& job : queue) job(&errors::shutting_down);
  for (std::thread& thread : threads_) thread.join();
}

Task<Result<std::string>> PasswordPool::hash(std::string password) {
  return submit<std::string>(to_hash,
                             [secret = Secret{password}] { return hash_password(secret.text()); });
}

Task<Result<bool>> PasswordPool::verify(std::string encoded, std::string candidate) {
  return submit<bool>(to_verify, [encoded = std::move(encoded), secret = Secret{candidate}] {
    return verify_password(encoded, secret.text());
  });
}

// Answers by post() in every case, so that the coroutine goes on where it was, and never inside
// the call that queued it. The guard keeps its io_context running while a thread here is at work.
template <class T>
Task<Result<T>> PasswordPool::submit(Queue queue, std::move_only_function<Result<T>()> work) {
  return asio::async_initiate<const asio::use_awaitable_t<>, void(Result<T>)>(
      [this, queue](auto handler, std::move_only_function<Result<T>()> queued) {
        auto executor = asio::get_associated_executor(handler);
        auto guard = asio::make_work_guard(executor);
        enqueue(queue, [handler = std::move(handler), queued = std::move(queued),
                        guard = std::move(guard), executor](const ErrorCode* refusal) mutable {
          Result<T> outcome = refusal ? Result<T>{*refusal} : queued();
          queued = nullptr;  // wipes the texts before anybody hears of the outcome
          asio::post(executor,
                     [handler = std::move(handler), outcome = std::move(outcome)]() mutable {
                       std::move(handler)(std::move(outcome));
                     });
          guard.reset();
        });
      },
      asio::use_awaitable, std::move(work));
}

void PasswordPool::enqueue(Queue queue, Job job) {
  const ErrorCode* refusal = nullptr;
  {
    const std::lock_guard lock{mutex_};
    if (stopping_) {
      refusal = &errors::shutting_down;
    } else if (queues_[queue].size() == queue_max_) {
      refusal = &errors::overloaded;
    } else {
      queues_[queue].push_back(std::move(job));
    }
  }
  if (refusal) return job(refusal);  // NOLINT(bugprone-use-after-move): it was not queued
  wake_.notify_one();
}

PasswordPool::Job PasswordPool::next_job() {
  std::deque<Job>& queue = queues_[turn_].empty() ? queues_[1 - turn_] : queues_[turn_];
  turn_ = 1 - turn_;
  Job job = std::move(queue.front());
  queue.pop_front();
  return job;
}

bool PasswordPool::has_job() const {
  return !queues_[to_hash].empty() || !queues_[to_verify].empty();
}

// One after the other, operations use the same memory: the kernel takes as long to find 19 MiB
// (4,864 pages, each wiped first) as half a hash does. A thread that has rested has none.
void PasswordPool::serve() {
  give_way();
  KeptMemory memory;
  std::unique_lock lock{mutex_};
  for (;;) {
    const auto may_go_on = [this] { return stopping_ || has_job(); };
    if (!wake_.wait_for(lock, memory_kept, may_go_on)) {
      lock.unlock();
      memory.give_back();
      lock.lock();
      wake_.wait(lock, may_go_on);
    }
    if (!has_job()) return;
    Job job = next_job();
    lock.unlock();
    std::exchange(job, nullptr)(nullptr);  // what it holds ends before the lock is taken
    lock.lock();
  }
}

}  // namespace freehold::identity
