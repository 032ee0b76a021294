// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string_view>

#include "freehold/base/clock.h"
#include "freehold/database/books.h"

namespace freehold::internal {

// What is known in memory of one service's sagas. Transactions tell it what they have committed
// (Transaction::on_commit), so alone it may lag behind the database but never runs ahead of it; in
// a shared one it may do either, until the next count. It is lost with the process and set anew by
// Sagas::start. Any thread.
class SagaPulse {
 public:
  // The one of that service; made at the first call, never destroyed: a commit may report to it
  // after everything else is gone.
  static SagaPulse& of(std::string_view service);

  SagaPulse() = default;
  SagaPulse(const SagaPulse&) = delete;
  SagaPulse& operator=(const SagaPulse&) = delete;

  // Forgets what it knew: a service begins, with so many sagas alive.
  void begin(std::int64_t running, std::int64_t parked = 0, std::int64_t diverged = 0);

  void started() { ++running_; }
  void parked() {
    --running_;
    ++parked_;
  }
  void diverged() {
    --running_;
    ++diverged_;
  }
  void returned(SagaStatus from) {
    --(from == SagaStatus::parked ? parked_ : diverged_);
    ++running_;
  }
  void finished(bool failed) {
    --running_;
    ++(failed ? failed_ : ended_);
  }

  // In a shared database: what is alive there, and how many have finished since the last call. What
  // other instances start and finish is told to nobody; what this one does counts on from here.
  struct Counted {
    std::int64_t running = 0;
    std::int64_t parked = 0;
    std::int64_t diverged = 0;
    std::int64_t finished = 0;
  };
  void counted(const Counted& all);

  void met_late() { ++late_; }
  void met_unknown() { ++unknown_; }
  void met_failure() { ++failures_; }

  std::int64_t running() const { return running_; }
  std::int64_t waiting_parked() const { return parked_; }
  std::int64_t waiting_diverged() const { return diverged_; }
  std::uint64_t ended() const { return ended_; }
  std::uint64_t failed() const { return failed_; }
  std::uint64_t late() const { return late_; }          // replies and timers that came second
  std::uint64_t unknown() const { return unknown_; }    // replies for no saga
  std::uint64_t failures() const { return failures_; }  // resumes that failed

  // How many sagas finish in that time, by the best rate of late: a peer that is down for a moment
  // leaves the bound where it was. Measured once a second at most.
  std::int64_t finishing_in(std::chrono::milliseconds time);

  // A timer stands in the database now. Rings when it is due before the moment that was armed.
  void timer_set(Time due);
  // Rings for everything that is due before `due`, from now on.
  void arm(Time due) { armed_us_ = due.time_since_epoch().count(); }
  // Who is told, on the thread that reports; empty: nobody. Returns when no call is under way.
  void on_ring(std::function<void(Time due)> ring);

 private:
  std::atomic<bool> is_counted_ = false;
  std::atomic<std::uint64_t> finished_anywhere_ = 0;
  std::atomic<std::int64_t> running_ = 0;
  std::atomic<std::int64_t> parked_ = 0;
  std::atomic<std::int64_t> diverged_ = 0;
  std::atomic<std::uint64_t> ended_ = 0;
  std::atomic<std::uint64_t> failed_ = 0;
  std::atomic<std::uint64_t> late_ = 0;
  std::atomic<std::uint64_t> unknown_ = 0;
  std::atomic<std::uint64_t> failures_ = 0;
  std::atomic<std::int64_t> armed_us_ = Time::max().time_since_epoch().count();

  std::mutex mutex_;  // guards all below
  std::function<void(Time)> ring_;
  SteadyClock::time_point sampled_at_{};
  std::uint64_t finished_then_ = 0;
  double per_second_ = 0;
};

}  // namespace freehold::internal
