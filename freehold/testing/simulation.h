// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "freehold/base/random.h"
#include "freehold/testing/manual_clock.h"
#include "freehold/testing/simulated_host.h"
#include "freehold/testing/simulated_network.h"
#include "freehold/testing/simulated_storage.h"

namespace freehold {

// How often a host dies of itself, each in a million chances. Every third of these deaths is a
// power cut. It is started again after a while of `down_min` … `down_max`.
struct Calamity {
  std::uint32_t per_second = 0;      // in each second, also while it does nothing
  std::uint32_t at_handler = 0;      // after a handler or a batch of transactions
  std::uint32_t at_storage = 0;      // in place of a write, truncate or sync
  std::uint32_t at_crash_point = 0;  // at a FREEHOLD_CRASH_POINT, in a test build
  std::uint32_t disk_full = 0;       // no death of itself: a write finds the disk full
  std::uint32_t io_error = 0;        // … or a write or sync fails
  std::chrono::milliseconds down_min{1};
  std::chrono::milliseconds down_max{1'000};
};

// Whole services in one thread, from a seed: their clock, their random numbers, their network and
// their disks are simulated, they themselves are not. The same seed gives the same run, whatever
// the machine does; trace() is the proof.
//
//   Simulation simulation{seed};
//   simulation.add({.name = "shop", .migrations = …, .callers = {}, .parts = …});
//   simulation.add({.name = "stock", .migrations = …, .callers = {"shop"}, .parts = …});
//   simulation.calamity = {.at_handler = 500, .at_storage = 300};
//   simulation.run_until([&] { return all_is_done(); }, 10min);
//
// Which host goes on is drawn before each handler. When nobody has anything to do the clock goes
// on: Asio does not tell when its next timer is due, so it does in steps, of 0.5 ms at first and
// longer while nothing happens; a timer is late by at most an eighth of the silence before it.
//
// One at a time in a process: it installs the clock, the random source, the storage and the hook of
// the crash points. A program that links it has no system timers, see simulation.cc.
class Simulation {
 public:
  explicit Simulation(std::uint64_t seed);
  Simulation(const Simulation&) = delete;
  Simulation& operator=(const Simulation&) = delete;
  ~Simulation();

  Calamity calamity;

  // Takes a service in and starts it.
  void add(SimulatedProgram program);

  // Kill: the process goes, what it wrote stays. Power cut: of what it did not sync, some stays.
  // Both between two handlers, at once; it is started again after a while that is drawn.
  void kill(std::string_view name);
  void power_cut(std::string_view name);

  // Runs until the condition is true (asked between two handlers), at most so long by the simulated
  // clock. Returns whether it came true.
  bool run_until(const std::function<bool()>& condition, std::chrono::nanoseconds within);

  // Starts what is down, and from now on nothing dies and nothing is lost.
  void calm_down();

  // The life of that host; nullptr: it is down.
  SimulatedHost* host(std::string_view name);

  SimulatedNetwork& network() { return network_; }
  SimulatedStorage& storage() { return storage_; }
  Random& random() { return choices_; }
  // Where a test's own coroutines run: the client of the services. It never dies.
  HostContext& client() { return client_; }
  http::Transport& client_transport() { return *client_transport_; }

  // A hash of everything that happened, in its order: starts, deaths, exchanges with their times,
  // and what the test notes.
  std::uint64_t trace() const { return trace_; }
  void note(std::string_view what);
  std::function<void(std::string_view what)> on_noted;  // to look at a run
  std::uint64_t deaths() const { return deaths_; }
  std::uint64_t power_cuts() const { return power_cuts_; }

 private:
  struct Place {
    SimulatedProgram program;
    std::unique_ptr<SimulatedHost> host;
    SteadyClock::time_point start_at{};  // while it is down
    bool is_dead = false;                // cut off from everything, to be taken down
    bool loses_power = false;
  };

  Place& place(std::string_view name);
  void start(Place& place);
  void die(Place& place, bool loses_power);
  void take_down(Place& place);
  bool is_drawn(std::uint32_t chance_in_a_million);
  void start_those_due();
  bool run_something();
  bool run(Place& place);
  void pass_time();
  int before_storage(const SimulatedStorage::Operation& operation);
  static void at_crash_point(std::string_view name);

  static inline Simulation* the_one = nullptr;

  ManualClock clock_;
  SeededRandom toolkit_random_;
  SeededRandom choices_;
  SimulatedStorage storage_;
  SimulatedNetwork network_;
  HostContext client_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> client_work_;
  std::unique_ptr<http::Transport> client_transport_;
  std::vector<std::unique_ptr<Place>> places_;
  Place* running_ = nullptr;  // whose code runs now
  std::chrono::nanoseconds silence_{0};
  std::uint64_t trace_;
  std::uint64_t deaths_ = 0;
  std::uint64_t power_cuts_ = 0;
};

}  // namespace freehold
