// SPDX-License-Identifier: Apache-2.0
#include "freehold/saga/internal/saga_pulse.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <utility>

namespace freehold::internal {

SagaPulse& SagaPulse::of(std::string_view service) {
  // Never freed: see the header.
  static auto& mutex = *new std::mutex;
  static auto& pulses = *new std::map<std::string, SagaPulse, std::less<>>;
  const std::lock_guard lock{mutex};
  const auto found = pulses.find(service);
  return found != pulses.end() ? found->second : pulses[std::string{service}];
}

void SagaPulse::begin(std::int64_t running, std::int64_t parked, std::int64_t diverged) {
  const std::lock_guard lock{mutex_};
  running_ = running;
  parked_ = parked;
  diverged_ = diverged;
  ended_ = failed_ = late_ = unknown_ = failures_ = 0;
  is_counted_ = false;
  finished_anywhere_ = 0;
  sampled_at_ = SteadyClock::now();
  finished_then_ = 0;
  per_second_ = 0;
}

void SagaPulse::counted(const Counted& all) {
  is_counted_ = true;
  running_ = all.running;
  parked_ = all.parked;
  diverged_ = all.diverged;
  finished_anywhere_ += static_cast<std::uint64_t>(all.finished);
}

std::int64_t SagaPulse::finishing_in(std::chrono::milliseconds time) {
  constexpr double kept_per_second = 0.98;
  const std::lock_guard lock{mutex_};
  const auto now = SteadyClock::now();
  const std::chrono::duration<double> passed = now - sampled_at_;
  if (passed >= std::chrono::seconds{1}) {
    const std::uint64_t finished = is_counted_ ? finished_anywhere_.load() : ended_ + failed_;
    const double rate = static_cast<double>(finished - finished_then_) / passed.count();
    per_second_ = std::max(rate, per_second_ * std::pow(kept_per_second, passed.count()));
    sampled_at_ = now;
    finished_then_ = finished;
  }
  return static_cast<std::int64_t>(per_second_ * std::chrono::duration<double>{time}.count());
}

void SagaPulse::timer_set(Time due) {
  if (due.time_since_epoch().count() >= armed_us_) return;
  const std::lock_guard lock{mutex_};
  if (ring_) ring_(due);
}

void SagaPulse::on_ring(std::function<void(Time)> ring) {
  const std::lock_guard lock{mutex_};
  ring_ = std::move(ring);
}

}  // namespace freehold::internal
