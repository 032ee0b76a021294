// SPDX-License-Identifier: Apache-2.0
#include "freehold/testing/simulation.h"

#include <sqlite3.h>
#include <sys/timerfd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "freehold/base/assert.h"
#include "freehold/base/crash_point.h"
#include "freehold/base/hash.h"
#include "freehold/base/record.h"
#include "freehold/events/event.h"

// In a program with a simulation the system has no timers. With one, Asio looks at its own timers
// only when that fires, which knows nothing of the simulated clock and all about the real one;
// without, it looks at them whenever it looks for work.
int timerfd_create(clockid_t /*clock*/, int /*flags*/) noexcept {
  errno = ENOSYS;
  return -1;
}

namespace freehold {
namespace {

using namespace std::chrono_literals;

constexpr std::chrono::nanoseconds step_min = 500us;
constexpr std::chrono::nanoseconds step_max = 250ms;

}  // namespace

Simulation::Simulation(std::uint64_t seed)
    : toolkit_random_(seed * 4),
      choices_(seed * 4 + 1),
      network_(seed * 4 + 2),
      client_work_(client_.get_executor()),
      client_transport_(network_.transport_of("client")),
      trace_(fnv1a("")) {
  FREEHOLD_ASSERT(!the_one, "one simulation at a time");
  the_one = this;
  Random::install(&toolkit_random_);
  install_crash_point_hook(at_crash_point);
  storage_.on_operation = [this](const SimulatedStorage::Operation& operation) {
    return before_storage(operation);
  };
  network_.on_exchanged = [this](std::string_view from, std::string_view to,
                                 const http::Request& request, std::string_view outcome) {
    std::string text{from};
    text.append(">").append(to).append(" ").append(request.target).append(" ").append(outcome);
    note(text);
  };
}

Simulation::~Simulation() {
  network_.on_exchanged = nullptr;
  client_.abandon();
  for (auto& place : places_) {
    storage_.cut_off(place->program.name);
    set_own_service_of_this_thread(place->program.name);
    place->host.reset();
  }
  set_own_service_of_this_thread("");
  install_crash_point_hook(nullptr);
  Random::install(nullptr);
  the_one = nullptr;
}

void Simulation::note(std::string_view what) {
  trace_ = fnv1a(std::to_string(SteadyClock::now().time_since_epoch().count()), trace_);
  trace_ = fnv1a(what, trace_);
  if (on_noted) on_noted(what);
}

bool Simulation::is_drawn(std::uint32_t chance_in_a_million) {
  return chance_in_a_million > 0 && choices_.below(1'000'000) < chance_in_a_million;
}

Simulation::Place& Simulation::place(std::string_view name) {
  const auto found =
      std::ranges::find_if(places_, [&](const auto& one) { return one->program.name == name; });
  FREEHOLD_ASSERT(found != places_.end(), "no host has that name");
  return **found;
}

SimulatedHost* Simulation::host(std::string_view name) {
  return place(name).host.get();
}

void Simulation::add(SimulatedProgram program) {
  places_.push_back(std::make_unique<Place>(Place{.program = std::move(program), .host = {}}));
}

void Simulation::start(Place& place) {
  note("start " + place.program.name);
  running_ = &place;
  set_own_service_of_this_thread(place.program.name);
  storage_.switch_on(place.program.name);
  place.is_dead = place.loses_power = false;
  place.host = std::make_unique<SimulatedHost>(place.program, network_);
  const auto started = place.host->start([this, &place] { die(place, false); });
  running_ = nullptr;
  set_own_service_of_this_thread("");
  if (!started) die(place, false);
  if (place.is_dead) take_down(place);
}

// From here on nothing that the host does has an effect outside of it; it is taken down when its
// handler has returned.
void Simulation::die(Place& place, bool loses_power) {
  if (std::exchange(place.is_dead, true)) return;
  place.loses_power = loses_power;
  network_.detach(place.program.name);
  storage_.cut_off(place.program.name);
}

void Simulation::take_down(Place& place) {
  note((place.loses_power ? "power cut " : "kill ") + place.program.name);
  set_own_service_of_this_thread(place.program.name);
  place.host.reset();
  set_own_service_of_this_thread("");
  ++deaths_;
  if (place.loses_power) {
    ++power_cuts_;
    storage_.power_cut(place.program.name, choices_);
  }
  const std::chrono::nanoseconds span = calamity.down_max - calamity.down_min;
  place.start_at =
      SteadyClock::now() + calamity.down_min +
      std::chrono::nanoseconds{choices_.below(static_cast<std::uint64_t>(span.count()) + 1)};
}

void Simulation::kill(std::string_view name) {
  Place& victim = place(name);
  if (!victim.host) return;
  die(victim, false);
  take_down(victim);
}

void Simulation::power_cut(std::string_view name) {
  Place& victim = place(name);
  if (!victim.host) return;
  die(victim, true);
  take_down(victim);
}

void Simulation::calm_down() {
  calamity = Calamity{};
  network_.weather = Weather{};
  for (auto& place : places_) place->start_at = std::min(place->start_at, SteadyClock::now());
}

bool Simulation::run_until(const std::function<bool()>& condition,
                           std::chrono::nanoseconds within) {
  const auto end = SteadyClock::now() + within;
  while (!condition()) {
    if (SteadyClock::now() >= end) return false;
    start_those_due();
    if (run_something())
      silence_ = 0ns;
    else
      pass_time();
  }
  return true;
}

void Simulation::start_those_due() {
  for (auto& place : places_)
    if (!place->host && SteadyClock::now() >= place->start_at) start(*place);
}

// The client is one of those who may go on.
bool Simulation::run_something() {
  const std::size_t count = places_.size() + 1;
  const std::size_t first = choices_.below(count);
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t which = (first + i) % count;
    if (which == places_.size() ? client_.poll_one() > 0 : run(*places_[which])) return true;
  }
  return false;
}

// One handler, or all transactions that are queued: a lane is a thread of its own and may be faster
// or slower than the other.
bool Simulation::run(Place& place) {
  if (!place.host) return false;
  running_ = &place;
  set_own_service_of_this_thread(place.program.name);
  SqliteDatabase& database = place.host->database();
  const bool lane_first = choices_.below(4) == 0;
  const bool has_run = (lane_first && database.run_pending() > 0) ||
                       place.host->context().poll_one() > 0 || database.run_pending() > 0;
  running_ = nullptr;
  set_own_service_of_this_thread("");
  if (has_run && is_drawn(calamity.at_handler)) die(place, choices_.below(3) == 0);
  if (place.is_dead) take_down(place);
  return has_run;
}

void Simulation::pass_time() {
  const auto step = std::clamp(silence_ / 8, step_min, step_max);
  silence_ += step;
  clock_.advance(step);
  const auto chance = static_cast<std::uint32_t>(calamity.per_second * step / 1s);
  for (auto& place : places_) {
    if (!place->host || !is_drawn(chance)) continue;
    die(*place, choices_.below(3) == 0);
    take_down(*place);
  }
}

int Simulation::before_storage(const SimulatedStorage::Operation& operation) {
  if (!running_) return SQLITE_OK;
  if (is_drawn(calamity.at_storage)) die(*running_, choices_.below(3) == 0);
  if (operation.kind == SimulatedStorage::Kind::write && is_drawn(calamity.disk_full))
    return SQLITE_FULL;
  if (is_drawn(calamity.io_error)) return SQLITE_IOERR;
  return SQLITE_OK;
}

void Simulation::at_crash_point(std::string_view) {
  Simulation& self = *the_one;
  if (self.running_ && self.is_drawn(self.calamity.at_crash_point))
    self.die(*self.running_, self.choices_.below(3) == 0);
}

}  // namespace freehold
