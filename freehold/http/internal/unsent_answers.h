// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <optional>
#include <utility>

namespace freehold::http::internal {

// The answers of one I/O thread that their clients have not taken yet: together they hold no more
// memory than is allowed (or one answer, if that alone is larger). The one that has waited longest
// makes room for the next; a client that reads slowly loses its answer, never the service its
// memory.
class UnsentAnswers {
 public:
  explicit UnsentAnswers(std::size_t bytes_max) : bytes_max_(bytes_max) {}

  // One answer of `bytes`, waiting from construction to destruction. `cut` ends its connection; it
  // is called at most once, while another answer begins to wait.
  class Waiting {
   public:
    Waiting(UnsentAnswers& all, std::size_t bytes, std::function<void()> cut)
        : all_(all), bytes_(bytes), cut_(std::move(cut)) {
      while (!all_.waiting_.empty() && all_.bytes_ + bytes_ > all_.bytes_max_)
        all_.waiting_.front()->make_room();
      all_.bytes_ += bytes_;
      place_ = all_.waiting_.insert(all_.waiting_.end(), this);
    }
    Waiting(const Waiting&) = delete;
    Waiting& operator=(const Waiting&) = delete;
    ~Waiting() { leave(); }

   private:
    void leave() {
      if (!place_) return;
      all_.bytes_ -= bytes_;
      all_.waiting_.erase(*std::exchange(place_, std::nullopt));
    }
    void make_room() {
      leave();
      all_.cut_.fetch_add(1, std::memory_order_relaxed);
      cut_();
    }

    UnsentAnswers& all_;
    const std::size_t bytes_;
    const std::function<void()> cut_;
    std::optional<std::list<Waiting*>::iterator> place_;
  };

  std::uint64_t cut() const { return cut_.load(std::memory_order_relaxed); }  // any thread

 private:
  const std::size_t bytes_max_;
  std::size_t bytes_ = 0;
  std::list<Waiting*> waiting_;  // the longest first
  std::atomic<std::uint64_t> cut_ = 0;
};

}  // namespace freehold::http::internal
